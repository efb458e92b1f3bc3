// Kbsguest is the broker client of the agent as a program of its own: tests run it against a real
// broker, without a microVM. It is in no guest.
//
// It reads and writes lines of JSON: first its task, then the processor's answers to the reports
// that it asks for, and it ends with what came of it.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"os"
	"time"

	"a3s.dev/box/agent/evidence"
	"a3s.dev/box/agent/kbs"
	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/tee"
)

const timeout = time.Minute

// task is the first line.
type task struct {
	Broker    launchspec.Broker `json:"broker"`
	Address   string            `json:"address"`
	Resources []string          `json:"resources"`
	// Counter is a volume that is counted instead.
	Counter *counted `json:"counter"`
	// Nonce asks for an attestation result over it instead.
	Nonce []byte `json:"nonce"`
	// TEE is what the guest calls itself instead of what it is.
	TEE string `json:"tee"`
}

// counted is a volume whose disk is the other end's.
type counted struct {
	Path string `json:"path"`
	ID   string `json:"volume"`
	Disk uint64 `json:"generation"`
}

func (c *counted) Volume() string     { return c.ID }
func (c *counted) Generation() uint64 { return c.Disk }

func (c *counted) Advance(generation uint64) error {
	c.Disk = generation
	return nil
}

// processor has the other end answer.
type processor struct {
	in  *json.Decoder
	out *json.Encoder
}

func (p *processor) Report(data [64]byte) (tee.Report, error) {
	if err := p.out.Encode(map[string]string{"reportData": hex.EncodeToString(data[:])}); err != nil {
		return tee.Report{}, err
	}
	var report tee.Report
	return report, p.in.Decode(&report)
}

func (*processor) DeriveKey(tee.KeyRequest) ([32]byte, error) { return [32]byte{}, tee.ErrKey }

// named is evidence under another name.
type named struct {
	*evidence.Source
	tee string
}

func (n named) BrokerTEE() string {
	if n.tee != "" {
		return n.tee
	}
	return n.Source.BrokerTEE()
}

// outcome is the last line.
type outcome struct {
	Values map[string][]byte `json:"values"`
	// Generation is what the disk of a counted volume has.
	Generation uint64 `json:"generation"`
	Token      string `json:"token"`
	// Code is the broker's, of a refusal.
	Code  string `json:"code"`
	Error string `json:"error"`
}

func main() {
	in, out := json.NewDecoder(bufio.NewReader(os.Stdin)), json.NewEncoder(os.Stdout)
	var t task
	if err := in.Decode(&t); err != nil {
		panic(err)
	}
	result := fetch(&t, &processor{in, out})
	if err := out.Encode(result); err != nil {
		panic(err)
	}
}

func fetch(t *task, p tee.Processor) outcome {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	source := evidence.New(evidence.Config{Processor: p, Simulated: true})
	client := kbs.New(kbs.Config{
		Broker: t.Broker, Evidence: named{source, t.TEE},
		Dial: func(ctx context.Context) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", t.Address)
		},
	})
	result := outcome{Values: map[string][]byte{}}
	if t.Counter != nil {
		err := client.Count(ctx, []kbs.Counted{{Path: t.Counter.Path, Volume: t.Counter}})
		result.Generation = t.Counter.Disk
		return result.of(err)
	}
	if t.Nonce != nil {
		token, err := client.Result(ctx, t.Nonce)
		result.Token = token
		return result.of(err)
	}
	err := client.Fetch(ctx, t.Resources, func(resource string, value []byte) error {
		result.Values[resource] = append([]byte{}, value...)
		return nil
	})
	return result.of(err)
}

func (o outcome) of(err error) outcome {
	var refusal *kbs.Refusal
	switch {
	case errors.As(err, &refusal):
		o.Code = refusal.Code
	case err != nil:
		o.Error = err.Error()
	}
	return o
}
