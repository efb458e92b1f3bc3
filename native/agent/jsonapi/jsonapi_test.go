package jsonapi

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
)

func TestReadIsBounded(t *testing.T) {
	const limit = 8
	for name, c := range map[string]struct {
		body   io.Reader
		length int64
		want   error
	}{
		"nothing":                   {bytes.NewReader(nil), 0, nil},
		"as much as may be":         {bytes.NewReader(make([]byte, limit)), -1, nil},
		"a byte more":               {bytes.NewReader(make([]byte, limit+1)), -1, ErrTooLarge},
		"a byte more, and declared": {bytes.NewReader(nil), limit + 1, ErrTooLarge},
		"one that is late":          {broken{os.ErrDeadlineExceeded}, -1, ErrTimeout},
		"one that breaks off":       {broken{errors.New("stream error")}, -1, ErrBody},
	} {
		_, err := Read(&http.Request{Body: io.NopCloser(c.body), ContentLength: c.length}, limit)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

func TestRefuseAnswersACode(t *testing.T) {
	recorder := httptest.NewRecorder()
	Refuse(recorder, ErrTooMany)
	want := `{"error":{"code":"rate-limited","message":"too much is asked for; ask again later"}}`
	if recorder.Code != 429 || recorder.Body.String() != want || recorder.Header().Get("Retry-After") != "1" ||
		recorder.Header().Get("Content-Type") != "application/json" {
		t.Errorf("got %d %v %s", recorder.Code, recorder.Header(), recorder.Body)
	}
}

func TestRefuseNamesTheFieldThatDecided(t *testing.T) {
	recorder := httptest.NewRecorder()
	Refuse(recorder, &Error{Code: "c", Message: "m", Status: http.StatusForbidden, Rule: "sealers"})
	if want := `{"error":{"code":"c","message":"m","rule":"sealers"}}`; recorder.Body.String() != want {
		t.Errorf("got %s", recorder.Body)
	}
}

// FuzzRead: a body is read whole, or refused.
func FuzzRead(f *testing.F) {
	f.Add([]byte("12345678"), int64(-1))
	f.Add([]byte("123456789"), int64(9))
	f.Fuzz(func(t *testing.T, data []byte, length int64) {
		const limit = 8
		body, err := Read(&http.Request{Body: io.NopCloser(bytes.NewReader(data)), ContentLength: length}, limit)
		if fits := len(data) <= limit && length <= limit; fits != (err == nil) || fits && !bytes.Equal(body, data) {
			t.Fatalf("read %q of %d bytes as %q, %v", data, length, body, err)
		}
	})
}
