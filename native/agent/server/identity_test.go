package server

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"a3s.dev/box/agent/strictjson"
)

const (
	someTime = "2026-02-28T23:59:58.000000009Z"
	someID   = "01234567-89ab-cdef-0123-456789abcdef"
)

var entropy = base64.StdEncoding.EncodeToString(make([]byte, entropyBytes))

func TestTheIdentityOfACopyIsParsed(t *testing.T) {
	got, err := parseIdentity(entropy, someTime, someID)
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2026, 2, 28, 23, 59, 58, 9, time.UTC); !got.now.Equal(want) || len(got.entropy) != entropyBytes {
		t.Errorf("got %v and %d bytes", got.now, len(got.entropy))
	}
}

func TestAMalformedIdentityIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ entropy, time, id, path string }{
		"too few bytes":                {entropy[4:], someTime, someID, "entropy"},
		"bytes that are not base64":    {strings.Repeat("-", len(entropy)), someTime, someID, "entropy"},
		"base64 with a line end":       {entropy[:4] + "\n" + entropy[4:], someTime, someID, "entropy"},
		"a time without zone":          {entropy, someTime[:29], someID, "time"},
		"another zone":                 {entropy, strings.Replace(someTime, "Z", "+00:00", 1), someID, "time"},
		"a time without nanoseconds":   {entropy, "2026-02-28T23:59:58Z", someID, "time"},
		"month 13":                     {entropy, strings.Replace(someTime, "-02-", "-13-", 1), someID, "time"},
		"29 February in a common year": {entropy, strings.Replace(someTime, "-28T", "-29T", 1), someID, "time"},
		"hour 24":                      {entropy, strings.Replace(someTime, "T23", "T24", 1), someID, "time"},
		"a time in 1999":               {entropy, strings.Replace(someTime, "2026", "1999", 1), someID, "time"},
		"a letter in the year":         {entropy, strings.Replace(someTime, "2026", "2O26", 1), someID, "time"},
		"an id in capitals":            {entropy, someTime, strings.ToUpper(someID), "machineId"},
		"an id without dashes":         {entropy, someTime, strings.ReplaceAll(someID, "-", "0"), "machineId"},
		"a longer id":                  {entropy, someTime, someID + "0", "machineId"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseIdentity(c.entropy, c.time, c.id)
			var invalid *strictjson.Error
			if !errors.As(err, &invalid) || invalid.Path != c.path {
				t.Errorf("got %v, want one about %s", err, c.path)
			}
		})
	}
}

// FuzzTime: what is taken is what package time takes, and means the same.
func FuzzTime(f *testing.F) {
	f.Add(someTime)
	f.Add("2024-02-29T00:00:00.000000000Z")
	f.Add("2023-02-29T00:00:00.000000000Z")
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := parseTime(text)
		want, err := time.Parse("2006-01-02T15:04:05.000000000Z", text)
		if ok && (err != nil || !got.Equal(want)) {
			t.Errorf("%q: got %v, want %v, %v", text, got, want, err)
		}
	})
}

func TestARepeatedRequestIsRecognised(t *testing.T) {
	var o once
	if o.was(nil) {
		t.Error("nothing was said yet")
	}
	o.is([]byte("one"))
	if !o.was([]byte("one")) || o.was([]byte("two")) {
		t.Error("another one is not the same")
	}
}
