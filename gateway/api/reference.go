package api

import _ "embed"

//go:embed openapi.yaml
var document []byte

// Document is the contract as it is committed: openapi.yaml beside this file. A test holds it to the routes.
func Document() []byte { return document }
