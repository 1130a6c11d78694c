package api

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/api/reference"
)

//go:embed openapi.yaml
var document []byte

// Document is the contract as it is committed: openapi.yaml beside this file. A test holds it to the routes.
func Document() []byte { return document }

// refer serves the contract, to programs and to people. It is the same for everybody, and nobody's secret.
func (s *server) refer(engine *gin.Engine) error {
	page, err := reference.Make(s.source())
	if err != nil {
		return err
	}
	serve(engine, "/openapi.yaml", "application/yaml", document, nil)
	serve(engine, "/reference", "text/html; charset=utf-8", page.HTML, http.Header{
		"Content-Security-Policy": {page.Policy}, "Referrer-Policy": {"no-referrer"},
	})
	return nil
}

// serve answers with a text that is the same until the next release: it may be kept, and is asked about by its tag.
func serve(engine *gin.Engine, path, media string, text []byte, more http.Header) {
	hash := sha256.Sum256(text)
	tag := `"` + hex.EncodeToString(hash[:16]) + `"`
	engine.GET(path, func(g *gin.Context) {
		header := g.Writer.Header()
		maps.Copy(header, more)
		header.Set("Content-Type", media)
		header.Set("Cache-Control", "public, no-cache")
		header.Set("ETag", tag)
		http.ServeContent(g.Writer, g.Request, "", time.Time{}, bytes.NewReader(text))
	})
}

// source is what the page for people is made of: the document, and the words of the tables.
func (s *server) source() reference.Source {
	source := reference.Source{Document: s.huma.OpenAPI(), Operations: s.operations}
	codes := slices.Collect(maps.Keys(kinds))
	for reason := range reasonStatus {
		codes = append(codes, string(reason))
	}
	slices.SortFunc(codes, func(a, b string) int {
		return cmp.Or(cmp.Compare(kindOf(a).status, kindOf(b).status), cmp.Compare(a, b))
	})
	for _, code := range codes {
		k := kindOf(code)
		word := reference.Word{Code: code, Status: strconv.Itoa(k.status), Title: reference.Text(k.title)}
		if k.detail != k.title {
			word.Detail = reference.Text(k.detail)
		}
		source.Problems = append(source.Problems, word)
	}
	for _, state := range gateway.States() {
		source.States = append(source.States, reference.Word{
			Code: string(state), Status: string(state.Status()), Title: reference.Text(bank.StateText(state)),
		})
	}
	for _, reason := range bank.Reasons() {
		source.Reasons = append(source.Reasons, reference.Word{Code: string(reason), Title: reference.Text(reason.Text())})
	}
	for _, warning := range []bank.Warning{bank.IdentityExpired} {
		source.Warnings = append(source.Warnings, reference.Word{Code: string(warning), Title: reference.Text(warning.Text())})
	}
	return source
}
