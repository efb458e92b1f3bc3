package kbs

import (
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"a3s.dev/box/agent/evidence"
	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/tee/teetest"
)

// broker is one for tests, with what it does wrong.
type broker struct {
	t         *testing.T
	address   string
	pin       string
	processor *teetest.Fake
	// answers are given instead of those of the protocol, by the step.
	answers map[string]http.HandlerFunc
	guest   *ecdh.PublicKey
	asked   []string
	// ended are the requests that end a session.
	ended []string
	// maximum bounds the version of TLS.
	maximum uint16
}

var testNonce = base64.StdEncoding.EncodeToString(make([]byte, 32))

func serve(t *testing.T, edit func(b *broker)) *broker {
	t.Helper()
	b := &broker{t: t, processor: &teetest.Fake{}, answers: map[string]http.HandlerFunc{}}
	if edit != nil {
		edit(b)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// It has expired, and is for another name: the key alone counts.
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1, 0), DNSNames: []string{"other.example"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(spki)
	b.pin = hex.EncodeToString(digest[:])
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.address = plain.Addr().String()
	server := &http.Server{Handler: b, ErrorLog: log.New(io.Discard, "", 0)}
	listener := tls.NewListener(plain, &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MaxVersion: b.maximum,
	})
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return b
}

func (b *broker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	step := r.URL.Path[strings.LastIndex(r.URL.Path, "/v0/")+len("/v0/"):]
	b.asked = append(b.asked, r.URL.Path)
	if answer, given := b.answers[step]; given {
		answer(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	switch step {
	case "auth":
		w.Header().Set("Set-Cookie", cookieName+"=one; Path=/; HttpOnly; Secure")
		_, _ = io.WriteString(w, `{"nonce":"`+testNonce+`","extra-params":{"selected-hash-algorithm":"sha384"}}`)
	case "attest":
		b.attest(r, body)
		w.Header().Set("Set-Cookie", cookieName+"=two; Path=/; HttpOnly; Secure")
		_, _ = io.WriteString(w, `{"token":"a.b.c"}`)
	case "session":
		b.ended = append(b.ended, r.Method+" "+r.Header.Get("Cookie"))
		w.WriteHeader(http.StatusNoContent)
	default:
		if cookie := r.Header.Get("Cookie"); cookie != cookieName+"=two" {
			b.t.Errorf("the cookie is %s", cookie)
		}
		resource := "default/" + strings.TrimPrefix(step, "resource/")
		sealed := seal(b.t, b.guest, []byte("value of "+step), func(h map[string]any) {
			h["resource"] = resource
			if strings.HasSuffix(step, "/volume-key") {
				h["kind"] = volumeKey
			}
		})
		_, _ = w.Write(textOf(b.t, sealed))
	}
}

// attest reads what the guest sends, and compares the report with it.
func (b *broker) attest(r *http.Request, body []byte) {
	if cookie := r.Header.Get("Cookie"); cookie != cookieName+"=one" {
		b.t.Errorf("the cookie is %s", cookie)
	}
	var request struct {
		Runtime struct {
			Nonce string            `json:"nonce"`
			Key   map[string]string `json:"tee-pubkey"`
		} `json:"runtime-data"`
		Evidence struct {
			Primary struct {
				Report []byte `json:"attestation_report"`
				Chain  []struct {
					Type string `json:"cert_type"`
					Data []int  `json:"data"`
				} `json:"cert_chain"`
			} `json:"primary_evidence"`
			Additional *string `json:"additional_evidence"`
		} `json:"tee-evidence"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		b.t.Error(err)
		return
	}
	// Package json sorts the keys of a map, as RFC 8785 does.
	bound := textOf(b.t, map[string]any{"additional-evidence": "", "nonce": request.Runtime.Nonce, "tee-pubkey": request.Runtime.Key})
	want := sha512.Sum384(bound)
	asked := b.processor.Asked()
	data := asked[len(asked)-1]
	if [48]byte(data[:48]) != want || [16]byte(data[48:]) != [16]byte{} || request.Runtime.Nonce != testNonce {
		b.t.Errorf("REPORT_DATA is %x", data)
	}
	if len(request.Evidence.Primary.Report) != 1184 || request.Evidence.Additional == nil || *request.Evidence.Additional != "" {
		b.t.Errorf("got %s", body)
	}
	point := []byte{4}
	for _, coordinate := range []string{"x", "y"} {
		part, err := base64.RawURLEncoding.DecodeString(request.Runtime.Key[coordinate])
		if err != nil {
			b.t.Error(err)
		}
		point = append(point, part...)
	}
	var err error
	if b.guest, err = ecdh.P256().NewPublicKey(point); err != nil {
		b.t.Error(err)
	}
}

func (b *broker) client(edit func(c *Config)) *Client {
	source := evidence.New(evidence.Config{Processor: b.processor, Simulated: true})
	config := Config{
		Broker:   launchspec.Broker{Host: "broker.example", Port: 8443, Tenant: "default", Key: b.pin},
		Evidence: source,
		Dial: func(ctx context.Context) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", b.address)
		},
	}
	if edit != nil {
		edit(&config)
	}
	return New(config)
}

func fetch(t *testing.T, c *Client, resources ...string) (map[string]string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	got := map[string]string{}
	err := c.Fetch(ctx, resources, func(resource string, value []byte) error {
		got[resource] = string(value)
		return nil
	})
	return got, err
}

func TestSecretsAreFetchedWithOneAttestation(t *testing.T) {
	b := serve(t, nil)
	got, err := fetch(t, b.client(nil), "a/b/c", "a/b/d")
	if err != nil || len(got) != 2 || got["a/b/c"] != "value of resource/a/b/c" || got["a/b/d"] != "value of resource/a/b/d" {
		t.Errorf("got %v, %v", got, err)
	}
	want := "/kbs/v0/auth /kbs/v0/attest /kbs/v0/resource/a/b/c /kbs/v0/resource/a/b/d /kbs/v0/session"
	if asked := strings.Join(b.asked, " "); asked != want {
		t.Errorf("asked %s", asked)
	}
	if reports := len(b.processor.Asked()); reports != 1 {
		t.Errorf("%d reports", reports)
	}
}

// The broker bounds the sessions of a host: one that is not ended counts until it expires.
func TestASessionEndsWithWhatItWasFor(t *testing.T) {
	const challenged, attested = "DELETE " + cookieName + "=one", "DELETE " + cookieName + "=two"
	stop := errors.New("stop")
	for name, c := range map[string]struct {
		refused, want string
		take          error
	}{
		"all is fetched":       {"", attested, nil},
		"the guest stops":      {"", attested, stop},
		"a resource is denied": {"resource/a/b/c", attested, nil},
		"evidence is refused":  {"attest", challenged, nil},
		"no challenge":         {"auth", "", nil},
	} {
		b := serve(t, func(b *broker) {
			if c.refused != "" {
				b.answers[c.refused] = answer(403, "")
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		err := b.client(nil).Fetch(ctx, []string{"a/b/c"}, func(string, []byte) error {
			// Also where the time of the fetch is over.
			cancel()
			return c.take
		})
		cancel()
		if failed := c.refused != "" || c.take != nil; (err != nil) != failed {
			t.Errorf("%s: got %v", name, err)
		}
		if got := strings.Join(b.ended, ", "); got != c.want {
			t.Errorf("%s: ended %q", name, got)
		}
	}
}

func TestABrokerThatEndsNoSessionFailsNothing(t *testing.T) {
	b := serve(t, func(b *broker) { b.answers["session"] = answer(500, "") })
	if got, err := fetch(t, b.client(nil), "a/b/c"); err != nil || len(got) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestAnotherTenantHasRoutesOfItsOwn(t *testing.T) {
	b := serve(t, nil)
	_, err := fetch(t, b.client(func(c *Config) { c.Broker.Tenant = "team" }), "a/b/c")
	// The broker of the test answers for the default tenant.
	if !errors.Is(err, errResource) || b.asked[0] != "/tenants/team/kbs/v0/auth" {
		t.Errorf("got %v, asked %v", err, b.asked)
	}
}

func TestNothingIsSentToAPeerWithAnotherKey(t *testing.T) {
	b := serve(t, nil)
	_, err := fetch(t, b.client(func(c *Config) { c.Broker.Key = strings.Repeat("0", 64) }), "a/b/c")
	if !errors.Is(err, ErrKey) || len(b.asked) != 0 || len(b.processor.Asked()) != 0 {
		t.Errorf("got %v, asked %v", err, b.asked)
	}
}

func TestOlderTLSIsRefused(t *testing.T) {
	b := serve(t, func(b *broker) { b.maximum = tls.VersionTLS12 })
	if _, err := fetch(t, b.client(nil), "a/b/c"); err == nil || len(b.asked) != 0 {
		t.Errorf("got %v", err)
	}
}

// The host may carry the bytes to whom it likes, and end a connection whenever it likes.
func TestAHostThatCarriesNothingIsAnError(t *testing.T) {
	b := serve(t, nil)
	absent := errors.New("absent")
	for name, dial := range map[string]func(ctx context.Context) (net.Conn, error){
		"nothing": func(context.Context) (net.Conn, error) { return nil, absent },
		"an end": func(context.Context) (net.Conn, error) {
			ours, theirs := net.Pipe()
			return ours, theirs.Close()
		},
	} {
		if _, err := fetch(t, b.client(func(c *Config) { c.Dial = dial }), "a/b/c"); err == nil || len(b.asked) != 0 {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestARefusalIsItsCodeAndNothingElse(t *testing.T) {
	for _, c := range []struct {
		step, body string
		status     int
		want       string
		final      bool
	}{
		{"auth", `{"type":"urn:a3s-box:error:kbs-busy","detail":"kbs-busy"}`, 503, "kbs-busy", false},
		{"auth", `{"type":"urn:a3s-box:error:kbs-too-often","detail":"x"}`, 429, "kbs-too-often", false},
		{"attest", `{"type":"urn:a3s-box:error:kbs-evidence","detail":"x"}`, 401, "kbs-evidence", true},
		{"resource/a/b/c", `{"type":"urn:a3s-box:error:kbs-denied"}`, 403, "kbs-denied", true},
		{"resource/a/b/c", `{"type":"urn:a3s-box:error:kbs-session"}`, 401, "kbs-session", false},
		{"resource/a/b/c", `{"type":"urn:a3s-box:error:Tell the host\n"}`, 403, "http-403", true},
		{"resource/a/b/c", `{"type":"https://github.com/confidential-containers/kbs/errors/x"}`, 404, "http-404", true},
		{"resource/a/b/c", `nothing`, 500, "http-500", false},
		{"resource/a/b/c", ``, 302, "http-302", false},
		{"auth", ``, 308, "http-308", false},
		{"attest", ``, 408, "http-408", false},
		{"attest", ``, 425, "http-425", false},
		{"auth", ``, 400, "http-400", true},
	} {
		b := serve(t, func(b *broker) { b.answers[c.step] = answer(c.status, c.body) })
		_, err := fetch(t, b.client(nil), "a/b/c")
		var refusal *Refusal
		if !errors.As(err, &refusal) || refusal.Code != c.want || refusal.Final() != c.final {
			t.Errorf("%d %s: got %v", c.status, c.body, err)
		}
	}
}

func TestAnAnswerThatIsNotOneEndsTheFetch(t *testing.T) {
	nonce := func(text, hash string) string {
		return `{"nonce":"` + text + `","extra-params":{"selected-hash-algorithm":"` + hash + `"}}`
	}
	for name, c := range map[string][2]string{
		"no JSON":                {"auth", `<html>`},
		"a short nonce":          {"auth", nonce(base64.StdEncoding.EncodeToString(make([]byte, 31)), hash)},
		"a long nonce":           {"auth", nonce(base64.StdEncoding.EncodeToString(make([]byte, 65)), hash)},
		"a nonce that is text":   {"auth", nonce(`\",\"x\":\"`, hash)},
		"a nonce in two lines":   {"auth", nonce(testNonce[:20]+`\n`+testNonce[20:], "sha384")},
		"another hash":           {"auth", nonce(testNonce, "sha256")},
		"more":                   {"auth", nonce(testNonce, "sha384") + `{}`},
		"a large answer":         {"auth", strings.Repeat(" ", maxAnswer) + nonce(testNonce, "sha384")},
		"an attestation of none": {"attest", `{}`},
		"a large resource":       {"resource/a/b/c", strings.Repeat(" ", maxResource+1)},
	} {
		b := serve(t, func(b *broker) { b.answers[c[0]] = answer(200, c[1]) })
		if got, err := fetch(t, b.client(nil), "a/b/c"); !errors.Is(err, ErrAnswer) || len(got) != 0 {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

func TestACookieThatIsNoneEndsTheFetch(t *testing.T) {
	for _, value := range []string{"", strings.Repeat("a", maxCookie+1)} {
		b := serve(t, func(b *broker) {
			b.answers["attest"] = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Set-Cookie", cookieName+"="+value)
				_, _ = io.WriteString(w, `{"token":"a.b.c"}`)
			}
		})
		if _, err := fetch(t, b.client(nil), "a/b/c"); !errors.Is(err, ErrAnswer) {
			t.Errorf("%d characters: got %v", len(value), err)
		}
	}
}

func TestValuesAreOverwrittenAndTheFirstErrorEndsTheFetch(t *testing.T) {
	b := serve(t, nil)
	var kept []byte
	stop := errors.New("stop")
	err := b.client(nil).Fetch(t.Context(), []string{"a/b/c", "a/b/d"}, func(_ string, value []byte) error {
		kept = value
		return stop
	})
	if !errors.Is(err, stop) || len(kept) == 0 || strings.Trim(string(kept), "\x00") != "" {
		t.Errorf("got %v, %q", err, kept)
	}
}

// table makes a certificate table of one entry.
func table(t *testing.T, guid string, offset, size uint32, data []byte) []byte {
	t.Helper()
	entry := unhex(t, strings.ReplaceAll(guid, "-", ""))
	entry = binary.LittleEndian.AppendUint32(entry, offset)
	entry = binary.LittleEndian.AppendUint32(entry, size)
	return append(append(entry, make([]byte, tableEntry)...), data...)
}

func TestTheChainIsWhatCanBeReadOfTheTable(t *testing.T) {
	const vcek, crl = "63da758d-e664-4564-adc5-f4b93be8accd", "92f81bc3-5811-4d3d-97ff-d19f88dc67ea"
	data := []byte{0x30, 0, 255}
	good := textOf(t, chainOf(table(t, vcek, 48, 3, data)))
	if string(good) != `[{"cert_type":"VCEK","data":[48,0,255]}]` {
		t.Errorf("got %s", good)
	}
	for name, bytes := range map[string][]byte{
		"nothing":             nil,
		"half an entry":       make([]byte, 23),
		"zeros":               make([]byte, 48),
		"an unknown one":      table(t, crl, 48, 3, data),
		"beyond the end":      table(t, vcek, 48, 4, data),
		"beyond 32 bits":      table(t, vcek, 0xffffffff, 0xffffffff, data),
		"an empty one":        table(t, vcek, 48, 0, data),
		"a large one":         table(t, vcek, 48, maxCertificate+1, make([]byte, maxCertificate+1)),
		"an entry cut at end": table(t, vcek, 48, 3, data)[:20],
	} {
		if chain := textOf(t, chainOf(bytes)); string(chain) != "[]" {
			t.Errorf("%s: got %s", name, chain)
		}
	}
}
