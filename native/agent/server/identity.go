package server

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/strictjson"
)

// entropyBytes is how many random bytes a guest that started from a template, or a fork, is given.
const entropyBytes = 64

// once recognises a document that was taken before. Its answer is repeated then, since a host whose
// connection broke does not know whether the document was taken.
type once struct {
	done bool
	of   [sha256.Size]byte
}

func (o *once) was(body []byte) bool { return o.done && o.of == sha256.Sum256(body) }

func (o *once) is(body []byte) { o.done, o.of = true, sha256.Sum256(body) }

func (s *Server) prepare(body []byte) (reply, error) {
	if len(body) > 0 {
		return reply{}, errBody
	}
	return nothing, s.Box.Prepare()
}

// The identity of a warm-up.
const (
	warmUpTime = "2026-01-01T00:00:00.000000000Z"
	warmUpID   = "00000000-0000-4000-8000-000000000000"
)

func (s *Server) warmUp(body []byte) (reply, error) {
	entropy := make([]byte, entropyBytes)
	// The kernel gives as few bytes as these at once.
	if _, err := linux.Random(entropy); err != nil {
		return reply{}, err
	}
	given, err := parseIdentity(base64.StdEncoding.EncodeToString(entropy), warmUpTime, warmUpID)
	if err != nil {
		return reply{}, err
	}
	// The clock is right until it is set.
	report, err := s.Box.WarmUp(body, time.Now(), given.entropy, warmUpID)
	if err != nil {
		return reply{}, err
	}
	// The encoding of the answers to a start and an exit is warmed up too.
	text := appendReport(make([]byte, 0, 512), report)
	if report.Exit == nil || report.Exit.ExitCode != 0 || len(text) == 0 {
		return reply{}, errWarmUp
	}
	return nothing, nil
}

var errWarmUp = errors.New("the main process of the warm-up failed")

func (s *Server) reseed(body []byte) (reply, error) {
	var request struct {
		Entropy   string `json:"entropy"`
		Time      string `json:"time"`
		MachineID string `json:"machineId"`
	}
	if err := strictjson.Decode(body, &request); err != nil {
		return reply{}, err
	}
	if s.reseeded.was(body) {
		return nothing, nil
	}
	given, err := parseIdentity(request.Entropy, request.Time, request.MachineID)
	if err != nil {
		return reply{}, err
	}
	if err := s.Box.Reseed(given.entropy, given.now, request.MachineID); err != nil {
		return reply{}, err
	}
	s.reseeded.is(body)
	return nothing, nil
}

func (s *Server) fork(body []byte) (reply, error) {
	var request struct {
		Entropy   string  `json:"entropy"`
		Time      string  `json:"time"`
		MachineID string  `json:"machineId"`
		Hostname  string  `json:"hostname"`
		MAC       *string `json:"mac"`
	}
	if err := strictjson.Decode(body, &request); err != nil {
		return reply{}, err
	}
	if s.forked.was(body) {
		return nothing, nil
	}
	given, err := parseIdentity(request.Entropy, request.Time, request.MachineID)
	if err != nil {
		return reply{}, err
	}
	if err := s.Box.Fork(given.entropy, given.now, request.MachineID, request.Hostname, request.MAC); err != nil {
		return reply{}, err
	}
	s.forked.is(body)
	return nothing, nil
}

// identity is the identity that a guest of a template, and a fork, is given.
type identity struct {
	entropy []byte
	now     time.Time
}

func parseIdentity(entropy, now, machineID string) (*identity, error) {
	bytes, err := base64.StdEncoding.Strict().DecodeString(entropy)
	// The decoder skips line ends, which the one spelling does not have.
	if err != nil || len(bytes) != entropyBytes || len(entropy) != base64.StdEncoding.EncodedLen(entropyBytes) {
		return nil, &strictjson.Error{Path: "entropy", Reason: "is not 64 bytes in base64"}
	}
	at, ok := parseTime(now)
	if !ok {
		return nil, &strictjson.Error{Path: "time", Reason: "is not a time in UTC with nanoseconds"}
	}
	if !isUUID(machineID) {
		return nil, &strictjson.Error{Path: "machineId", Reason: "is not a lower-case UUID"}
	}
	return &identity{bytes, at}, nil
}

// parseTime reads the one spelling "2006-01-02T15:04:05.000000000Z". Package time's parser is for
// any spelling, and would be much of what a guest of a template executes before it answers.
func parseTime(text string) (time.Time, bool) {
	const shape = "dddd-dd-ddTdd:dd:dd.dddddddddZ"
	if len(text) != len(shape) {
		return time.Time{}, false
	}
	var numbers [7]int
	field := 0
	for index := range len(shape) {
		c := text[index]
		switch {
		case shape[index] != 'd':
			if c != shape[index] {
				return time.Time{}, false
			}
			field++
		case c < '0' || c > '9':
			return time.Time{}, false
		default:
			numbers[field] = numbers[field]*10 + int(c-'0')
		}
	}
	year, month, day, hour, minute, second := numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]
	if year < 2000 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	at := time.Date(year, time.Month(month), day, hour, minute, second, numbers[6], time.UTC)
	// The 31st of a shorter month is a day of the next.
	return at, at.Day() == day
}

func isUUID(text string) bool {
	const shape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	if len(text) != len(shape) {
		return false
	}
	for index := range len(shape) {
		c := text[index]
		hex := '0' <= c && c <= '9' || 'a' <= c && c <= 'f'
		if shape[index] == 'x' && !hex || shape[index] == '-' && c != '-' {
			return false
		}
	}
	return true
}
