package workload

import (
	_ "embed"
	"slices"
	"testing"

	"a3s.dev/box/agent/jsonapi"
	"a3s.dev/box/agent/jsonapi/jsonapitest"
	"a3s.dev/box/agent/sealing"
)

//go:embed openapi.json
var openAPI []byte

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
		if operation.RequestBody != nil && operation.RequestBody.Limit != route.limit || operation.RequestBody == nil && route.limit != 0 {
			t.Errorf("%s %s takes %d bytes, and is documented otherwise", route.method, route.path, route.limit)
		}
	}
}

func TestOpenAPIHasTheCodes(t *testing.T) {
	want := []string{}
	for _, refusal := range []*jsonapi.Error{
		jsonapi.ErrNotFound, jsonapi.ErrMethod, jsonapi.ErrTooLarge, jsonapi.ErrTimeout, jsonapi.ErrBody, jsonapi.ErrTooMany,
		jsonapi.ErrProcessor, errData, errDerive, errNoTokens, errNonce, errRefused, errBroker,
	} {
		want = append(want, refusal.Code)
	}
	for _, refusal := range slices.Concat(sealing.Refusals, sealing.FloorRefusals) {
		want = append(want, refusal.Code)
	}
	slices.Sort(want)
	if got := jsonapitest.Read(t, openAPI).AllCodes(t); !slices.Equal(got, slices.Compact(want)) {
		t.Errorf("got %v, want %v", got, slices.Compact(want))
	}
}
