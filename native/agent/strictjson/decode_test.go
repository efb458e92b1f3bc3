package strictjson

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

type inner struct {
	Flag bool `json:"flag"`
}

type sample struct {
	Name  string   `json:"name"`
	Count int64    `json:"count"`
	List  []string `json:"list"`
	Inner inner    `json:"inner"`
	Maybe *int64   `json:"maybe"`
	Own   int64    `json:"-"`
}

const whole = `{"name":"a","count":1,"list":["x"],"inner":{"flag":true}}`

func TestDecodeReadsADocument(t *testing.T) {
	var got sample
	if err := Decode([]byte(" "+whole+"\n"), &got); err != nil {
		t.Fatal(err)
	}
	want := sample{Name: "a", Count: 1, List: []string{"x"}, Inner: inner{true}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestDecodeReadsEscapes(t *testing.T) {
	var got []string
	if err := Decode([]byte(`["\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é"]`), &got); err != nil {
		t.Fatal(err)
	}
	if want := "\"\\/\b\f\n\r\té😀é"; got[0] != want {
		t.Errorf("got %q, want %q", got[0], want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	with := func(old, new string) string { return strings.Replace(whole, old, new, 1) }
	for name, c := range map[string]struct{ document, message string }{
		"nothing":                                {"", "must be an object"},
		"an unknown key":                         {with(`"name"`, `"nom"`), `unknown key "nom"`},
		"a key in another case":                  {with(`"name"`, `"Name"`), `unknown key "Name"`},
		"a key twice":                            {with(`"count":1`, `"count":1,"count":1`), `key "count" occurs twice`},
		"a key twice, escaped":                   {with(`"count":1`, `"count":1,"co\u0075nt":1`), `key "count" occurs twice`},
		"a key with the name -":                  {with(`"name"`, `"-":1,"name"`), `unknown key "-"`},
		"a missing key":                          {with(`"count":1,`, ``), "count: is missing"},
		"a missing inner key":                    {with(`"flag":true`, ``), "inner.flag: is missing"},
		"null":                                   {with(`"a"`, `null`), "name: must be a string"},
		"null for an optional key":               {with(`"count":1`, `"count":1,"maybe":null`), "maybe: must be an integer"},
		"a wrong type":                           {with(`["x"]`, `[1]`), "list[0]: must be a string"},
		"a fraction":                             {with(`:1`, `:1.0`), "count: must be an integer"},
		"an exponent":                            {with(`:1`, `:1e3`), "count: must be an integer"},
		"a leading zero":                         {with(`:1`, `:01`), "count: must be an integer"},
		"minus zero":                             {with(`:1`, `:-0`), "count: must be an integer"},
		"an unsafe integer":                      {with(`:1`, `:9007199254740992`), "count: must be an integer"},
		"a trailing comma":                       {with(`true}`, `true,}`), "inner: must be a string"},
		"trailing bytes":                         {whole + "x", "something follows the document"},
		"two documents":                          {whole + whole, "something follows the document"},
		"half a surrogate pair":                  {with(`"a"`, `"\ud83d"`), "name: holds an escape that is not one"},
		"the low half of a surrogate pair first": {with(`"a"`, `"\ude00\ud83d"`), "name: holds an escape that is not one"},
		"an unknown escape":                      {with(`"a"`, `"\x"`), "name: holds an escape that is not one"},
		"a control character":                    {with(`"a"`, "\"\n\""), "name: holds a bare control character"},
		"bytes that are not UTF-8":               {with(`"a"`, "\"\xff\""), "name: is not UTF-8"},
		"an encoded surrogate":                   {with(`"a"`, "\"\xed\xa0\x80\""), "name: is not UTF-8"},
		"an unterminated string":                 {`{"name`, "ends within a string"},
		"a byte order mark":                      {"\ufeff" + whole, "must be an object"},
	} {
		t.Run(name, func(t *testing.T) {
			var got sample
			err := Decode([]byte(c.document), &got)
			if err == nil || err.Error() != c.message {
				t.Errorf("got %v, want %q", err, c.message)
			}
		})
	}
}

func TestDecodeBoundsItsMessages(t *testing.T) {
	var got sample
	err := Decode([]byte(`{"`+strings.Repeat("k", 1<<20)+`":1}`), &got)
	if err == nil || len(err.Error()) > 200 {
		t.Errorf("got %d bytes of message", len(err.Error()))
	}
}

// FuzzBody: what is accepted, the standard library accepts too and reads the same.
func FuzzBody(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte(`{"name":"\ud83d\ude00","count":-5,"list":[],"inner":{"flag":false},"maybe":7}`))
	f.Add([]byte(`{"name":"a","name":"b"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var got, want sample
		if Decode(data, &got) != nil {
			return
		}
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&want); err != nil {
			t.Fatalf("accepted %q, which encoding/json refuses: %v", data, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("read %q as %+v, encoding/json as %+v", data, got, want)
		}
	})
}
