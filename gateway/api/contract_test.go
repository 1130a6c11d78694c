package api_test

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/istirdad/istirdad/gateway/api"
)

var update = flag.Bool("update", false, "write openapi.yaml anew")

// TestOpenAPI fails when the committed contract isn't what the routes say. `make openapi` writes it anew.
func TestOpenAPI(t *testing.T) {
	got, err := api.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("openapi.yaml", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatal("openapi.yaml isn't what the routes say: run make openapi and look at the difference")
	}
}
