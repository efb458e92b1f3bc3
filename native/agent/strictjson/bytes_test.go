package strictjson

import (
	"bytes"
	"encoding/json"
	"testing"
)

type sealed struct {
	Data  []byte  `json:"data"`
	Maybe *[]byte `json:"maybe"`
}

func TestDecodeReadsBase64IntoBytes(t *testing.T) {
	for document, want := range map[string]string{
		`{"data":""}`:         "",
		`{"data":"AA=="}`:     "\x00",
		`{"data":"+/+/"}`:     "\xfb\xff\xbf",
		`{ "data" : "QUJD" }`: "ABC",
	} {
		var got sealed
		if err := Decode([]byte(document), &got); err != nil || string(got.Data) != want || got.Maybe != nil {
			t.Errorf("%s: got %q, %v", document, got.Data, err)
		}
	}
}

func TestDecodeRefusesBytes(t *testing.T) {
	for name, c := range map[string]struct{ document, message string }{
		"no padding":             {`{"data":"QQ"}`, "data: must be base64"},
		"too much padding":       {`{"data":"QUJD===="}`, "data: must be base64"},
		"a bit that says naught": {`{"data":"QR=="}`, "data: must be base64"},
		"the alphabet of URLs":   {`{"data":"-_-_"}`, "data: must be base64"},
		"a line end":             {"{\"data\":\"QUJD\n\"}", "data: must be base64"},
		"an escape":              {`{"data":"\/\/\/\/"}`, "data: must be base64"},
		"a space":                {`{"data":"QU JD"}`, "data: must be base64"},
		"a number":               {`{"data":1}`, "data: must be a string"},
		"a list":                 {`{"data":[65]}`, "data: must be a string"},
		"an open string":         {`{"data":"QUJD`, "data: ends within a string"},
		"nothing":                {`{}`, "data: is missing"},
	} {
		var got sealed
		if err := Decode([]byte(c.document), &got); err == nil || err.Error() != c.message {
			t.Errorf("%s: got %v, want %q", name, err, c.message)
		}
	}
}

// FuzzBytes: what is accepted, the standard library reads the same.
func FuzzBytes(f *testing.F) {
	f.Add([]byte(`{"data":"QUJD","maybe":"AA=="}`))
	f.Add([]byte(`{"data":"QR=="}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var got, want sealed
		if Decode(data, &got) != nil {
			return
		}
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("accepted %q, which encoding/json refuses: %v", data, err)
		}
		if !bytes.Equal(got.Data, want.Data) || (got.Maybe == nil) != (want.Maybe == nil) {
			t.Fatalf("read %q as %+v, encoding/json as %+v", data, got, want)
		}
	})
}
