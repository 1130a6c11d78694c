// Package wire is what oapi-codegen makes of the contract, gateway/api/openapi.yaml: the types of its bodies, and for each
// operation a function that makes the request. `make openapi` writes it anew.
package wire
