// Package jsonapitest holds a server to its OpenAPI document, in tests.
package jsonapitest

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Document has the parts of an OpenAPI document that tests need.
type Document struct {
	// Codes are the errors that every path can answer with.
	Codes      []string                   `json:"x-codes"`
	Paths      map[string]json.RawMessage `json:"paths"`
	Components struct {
		Schemas map[string]*Schema `json:"schemas"`
	} `json:"components"`
}

// Operation is one method of a path.
type Operation struct {
	RequestBody *struct {
		Limit   int                `json:"x-limit-bytes"`
		Content map[string]content `json:"content"`
	} `json:"requestBody"`
	Responses map[string]response `json:"responses"`
}

type response struct {
	Codes   []string           `json:"x-codes"`
	Content map[string]content `json:"content"`
}

type content struct {
	Schema *Schema `json:"schema"`
}

// Read reads a document.
func Read(t testing.TB, data []byte) *Document {
	t.Helper()
	var d Document
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	return &d
}

// Operations are all, by their method and path.
func (d *Document) Operations(t testing.TB) map[string]*Operation {
	t.Helper()
	operations := map[string]*Operation{}
	for path, item := range d.Paths {
		var methods map[string]json.RawMessage
		if err := json.Unmarshal(item, &methods); err != nil {
			t.Fatal(err)
		}
		for method, text := range methods {
			if method == "parameters" {
				continue
			}
			var operation Operation
			if err := json.Unmarshal(text, &operation); err != nil {
				t.Fatal(err)
			}
			operations[strings.ToUpper(method)+" "+path] = &operation
		}
	}
	return operations
}

// AllCodes are the codes of all refusals, sorted.
func (d *Document) AllCodes(t testing.TB) []string {
	t.Helper()
	codes := slices.Clone(d.Codes)
	for _, operation := range d.Operations(t) {
		for _, response := range operation.Responses {
			codes = append(codes, response.Codes...)
		}
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// Hold checks an answer of a path, or of one that is not there, against the document.
func (d *Document) Hold(t testing.TB, route string, status int, body []byte) {
	t.Helper()
	var refusal struct{ Error struct{ Code string } }
	isJSON := json.Unmarshal(body, &refusal) == nil
	operation := d.Operations(t)[route]
	if code := refusal.Error.Code; isJSON && code != "" && slices.Contains(d.Codes, code) {
		return
	}
	if operation == nil {
		t.Errorf("%s: answered %d %s, and is not documented", route, status, body)
		return
	}
	documented, ok := operation.Responses[strconv.Itoa(status)]
	if !ok || refusal.Error.Code != "" && !slices.Contains(documented.Codes, refusal.Error.Code) {
		t.Errorf("%s: %d %s is not documented", route, status, refusal.Error.Code)
		return
	}
	schema := documented.Content["application/json"].Schema
	if schema == nil {
		if len(body) != 0 {
			t.Errorf("%s: answered %s where nothing is documented", route, body)
		}
		return
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		t.Errorf("%s: answered %q", route, body)
		return
	}
	if reason := d.mismatch(schema, value, ""); reason != "" {
		t.Errorf("%s: %d: %s", route, status, reason)
	}
}
