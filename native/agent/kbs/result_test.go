package kbs

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func result(t *testing.T, answer func(w http.ResponseWriter, nonce []byte)) (string, error) {
	t.Helper()
	b := serve(t, func(b *broker) {
		b.answers["result"] = func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			var asked map[string]string
			if err := json.Unmarshal(body, &asked); err != nil || len(asked) != 1 || r.Method != http.MethodPost {
				t.Errorf("asked %s, %v", body, err)
			}
			nonce, err := base64.StdEncoding.DecodeString(asked["nonce"])
			if err != nil {
				t.Error(err)
			}
			answer(w, nonce)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return b.client(nil).Result(ctx, []byte("12345678"))
}

func TestAResultIsOverTheNonceOfTheCaller(t *testing.T) {
	token, err := result(t, func(w http.ResponseWriter, nonce []byte) {
		_, _ = io.WriteString(w, `{"token":"`+base64.RawURLEncoding.EncodeToString(nonce)+`.e30.AAAA"}`)
	})
	if err != nil || token != "MTIzNDU2Nzg.e30.AAAA" {
		t.Errorf("got %s, %v", token, err)
	}
}

func TestAnAnswerThatIsNoResultIsRefused(t *testing.T) {
	for _, answer := range []string{
		`{}`, `{"token":""}`, `{"token":"a.b"}`, `{"token":"e30..AAAA"}`, `{"token":"e30.e30.AAAA.AAAA"}`, `{"token":"e30.e30.AA=="}`,
		`{"token":"e30.e30.AAAA","more":1}`, `{"token":"` + strings.Repeat("A", maxToken) + `.e30.AAAA"}`,
	} {
		if token, err := result(t, func(w http.ResponseWriter, _ []byte) { _, _ = io.WriteString(w, answer) }); !errors.Is(err, ErrAnswer) {
			t.Errorf("%.40s: got %.40s, %v", answer, token, err)
		}
	}
	_, err := result(t, func(w http.ResponseWriter, _ []byte) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"type":"urn:a3s-box:error:kbs-denied"}`)
	})
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Code != "kbs-denied" {
		t.Errorf("got %v", err)
	}
}
