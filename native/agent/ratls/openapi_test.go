package ratls

import (
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"a3s.dev/box/agent/jsonapi"
	"a3s.dev/box/agent/jsonapi/jsonapitest"
	"a3s.dev/box/agent/sealing"
	"a3s.dev/box/agent/secrets"
)

//go:embed openapi.json
var openAPI []byte

// hold checks an answer against openapi.json, as all tests of this package do with all answers.
func hold(t *testing.T, method, path string, status int, body []byte) {
	t.Helper()
	pattern := path
	if strings.HasPrefix(path, "/secrets/") {
		pattern = "/secrets/{name}"
	}
	jsonapitest.Read(t, openAPI).Hold(t, method+" "+pattern, status, body)
}

func TestOpenAPIHasTheRoutes(t *testing.T) {
	operations := jsonapitest.Read(t, openAPI).Operations(t)
	if len(operations) != len(routes) {
		t.Errorf("got %d operations, and %d routes", len(operations), len(routes))
	}
	for _, route := range routes {
		operation := operations[route.method+" "+route.path]
		if operation == nil {
			t.Errorf("%s %s is missing", route.method, route.path)
			continue
		}
		limit := 0
		if operation.RequestBody != nil {
			limit = operation.RequestBody.Limit
		}
		if limit != route.limit {
			t.Errorf("%s %s takes %d bytes, and is documented with %d", route.method, route.path, route.limit, limit)
		}
		if _, refuses := operation.Responses["403"]; refuses != route.attested {
			t.Errorf("%s %s: attested is %v", route.method, route.path, route.attested)
		}
	}
}

func TestOpenAPIHasTheCodes(t *testing.T) {
	want := []string{}
	for _, refusal := range []*jsonapi.Error{
		jsonapi.ErrNotFound, jsonapi.ErrMethod, jsonapi.ErrTooLarge, jsonapi.ErrTimeout, jsonapi.ErrBody, jsonapi.ErrTooMany,
		jsonapi.ErrProcessor, jsonapi.ErrInternal,
		errNonce, errNotAttested, errKey, errNoKey, errSignature, errNotPermitted, errUnknown, errDelivered, errExpired, errValueSize, errValueNUL,
		errSealerKey, errNoSealerKey, errSealerSignature, errNoSealer,
	} {
		want = append(want, refusal.Code)
	}
	for _, refusal := range sealing.Refusals {
		want = append(want, refusal.Code)
	}
	slices.Sort(want)
	if got := jsonapitest.Read(t, openAPI).AllCodes(t); !slices.Equal(got, slices.Compact(want)) {
		t.Errorf("got %v, want %v", got, slices.Compact(want))
	}
}

// TestOpenAPIHasTheBounds: what is documented as the longest is the longest.
func TestOpenAPIHasTheBounds(t *testing.T) {
	text, err := json.Marshal(jsonapitest.Read(t, openAPI).Paths)
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]map[string]json.RawMessage
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, method, property string
		bytes                  int
	}{
		{"/attest", "post", "nonce", maxNonce}, {"/secrets/{name}", "put", "value", secrets.MaxValue},
		{"/secrets/{name}", "put", "key", maxKey}, {"/secrets/{name}", "put", "signature", 96},
		{"/seal", "post", "value", sealing.MaxValue}, {"/seal", "post", "key", maxKey}, {"/seal", "post", "signature", 96},
		{"/unseal", "post", "envelope", sealing.MaxEnvelope}, {"/unseal", "post", "key", maxKey}, {"/unseal", "post", "signature", 96},
	} {
		var operation struct {
			RequestBody struct {
				Content map[string]struct {
					Schema struct {
						Properties map[string]struct{ MaxLength int }
					}
				}
			}
		}
		if err := json.Unmarshal(document[c.path][c.method], &operation); err != nil {
			t.Fatal(err)
		}
		got := operation.RequestBody.Content["application/json"].Schema.Properties[c.property].MaxLength
		if want := base64.StdEncoding.EncodedLen(c.bytes); got != want {
			t.Errorf("%s: got %d, want %d", c.property, got, want)
		}
	}
}
