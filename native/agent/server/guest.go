package server

import (
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/strictjson"
)

func (s *Server) hello(w http.ResponseWriter, _ *http.Request, _ string) error {
	bootID, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return err
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return err
	}
	type versions struct {
		Minimum int `json:"minimum"`
		Maximum int `json:"maximum"`
	}
	writeJSON(w, http.StatusOK, struct {
		Protocol versions `json:"protocol"`
		Agent    string   `json:"agent"`
		Kernel   string   `json:"kernel"`
		BootID   string   `json:"bootId"`
	}{versions{minProtocol, maxProtocol}, s.Version, strings.TrimSpace(string(kernel)), strings.TrimSpace(string(bootID))})
	return nil
}

func (s *Server) state(w http.ResponseWriter, _ *http.Request, _ string) error {
	reports := []box.Report{}
	for _, h := range s.Box.Processes() {
		reports = append(reports, h.Report())
	}
	var digest *string
	if text := s.Box.Digest(); text != "" {
		digest = &text
	}
	writeJSON(w, http.StatusOK, struct {
		Spec      *string      `json:"spec"`
		Processes []box.Report `json:"processes"`
	}{digest, reports})
	return nil
}

func (s *Server) takeSpec(w http.ResponseWriter, r *http.Request, _ string) error {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	digest, err := s.Box.TakeSpec(data)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]string{"spec": digest})
	return nil
}

func (s *Server) stats(w http.ResponseWriter, _ *http.Request, _ string) error {
	stats, err := s.Box.Stats()
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, stats)
	return nil
}

func (s *Server) powerOff(w http.ResponseWriter, r *http.Request, _ string) error {
	if err := empty(r); err != nil {
		return err
	}
	first := s.Box.Stop()
	w.WriteHeader(http.StatusAccepted)
	// The host learns of the guest's end by the machine's, so an answer that gets lost is no loss.
	_ = http.NewResponseController(w).Flush()
	if first {
		go s.PowerOff()
	}
	return nil
}

// document reads a body that is one document.
func document(r *http.Request, target any) error {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	return strictjson.Decode(data, target)
}

// empty insists on no body.
func empty(r *http.Request) error {
	data, err := io.ReadAll(r.Body)
	if err == nil && len(data) > 0 {
		return &Error{"invalid", "the request must have no body"}
	}
	return err
}

func parseSignal(text string) (syscall.Signal, error) {
	signal, ok := box.ParseSignal(text)
	if !ok {
		return 0, &strictjson.Error{Path: "signal", Reason: "is not a signal"}
	}
	return signal, nil
}
