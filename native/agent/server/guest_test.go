package server

import (
	"encoding/json"
	"testing"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/box/cgroup"
	"a3s.dev/box/agent/http2"
)

func TestAPlainGuestTellsItsClock(t *testing.T) {
	s := &Server{Box: box.New(nil, &cgroup.Cgroup{}, -1, nil)}
	c := serve(t, &http2.Server{Handler: s.Handler()})
	var told [2]int64
	for index := range told {
		status, text := c.call("GET", "/v1/hello", "")
		var hello struct{ UptimeUsec int64 }
		if err := json.Unmarshal([]byte(text), &hello); err != nil || status != 200 {
			t.Fatalf("got %d %s", status, text)
		}
		told[index] = hello.UptimeUsec
	}
	if told[0] <= 0 || told[1] < told[0] {
		t.Errorf("got %d, then %d", told[0], told[1])
	}
}
