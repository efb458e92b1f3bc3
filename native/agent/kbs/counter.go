package kbs

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"a3s.dev/box/agent/sealedvolume"
	"a3s.dev/box/agent/strictjson"
)

// maxGeneration is the greatest number that every reader of JSON knows exactly.
const maxGeneration = 1<<53 - 1

const noResource = "kbs-no-resource"

// Volume is one that the broker counts; a sealedvolume.Handle is one.
type Volume interface {
	// Volume is the id.
	Volume() string
	Generation() uint64
	// Advance writes a generation to the disk, so that it outlasts a power cut.
	Advance(generation uint64) error
}

var _ Volume = sealedvolume.Handle(nil)

// Counted is a volume, and the path of its counter.
type Counted struct {
	Path   string
	Volume Volume
}

// Errors of a volume that does not go with its counter.
var (
	ErrRolledBack = errors.New("the disk is older than the broker's counter: it is a copy from before the last start")
	ErrOther      = errors.New("the broker's counter is that of another volume")
	ErrBehind     = errors.New("the broker's counter is behind the volume, or gone")
	// ErrDisk is a disk that does not take the generation.
	ErrDisk = errors.New("the generation cannot be written to the disk")
)

type (
	counter struct {
		Volume     string `json:"volume"`
		Generation int64  `json:"generation"`
	}
	counterStep struct {
		Volume string `json:"volume"`
		From   int64  `json:"from"`
		To     int64  `json:"to"`
	}
)

// Count advances the counter of each volume by one, with one attestation. A volume that is not
// as old as its counter is refused. Called again after a failure it goes on from wherever that was.
func (c *Client) Count(ctx context.Context, volumes []Counted) error {
	s, err := c.attested(ctx)
	if err != nil {
		return err
	}
	defer s.end()
	for _, counted := range volumes {
		if err := s.count(ctx, counted); err != nil {
			return fmt.Errorf("the counter %s: %w", counted.Path, err)
		}
	}
	return nil
}

// count writes the next generation to the disk first, and to the broker afterwards. A power cut in
// between leaves the disk one generation ahead, which the next start takes.
func (s *session) count(ctx context.Context, counted Counted) error {
	known, err := s.counter(ctx, counted.Path)
	if err != nil {
		return err
	}
	step, err := nextOf(known, counted.Volume)
	if err != nil {
		return err
	}
	if counted.Volume.Generation() != uint64(step.To) {
		if err := counted.Volume.Advance(uint64(step.To)); err != nil {
			return errors.Join(ErrDisk, err)
		}
	}
	var answer counter
	if err := s.post(ctx, "counter/"+counted.Path, step, &answer); err != nil {
		return err
	}
	if answer.Volume != step.Volume || answer.Generation != step.To {
		return ErrAnswer
	}
	return nil
}

// counter is what the broker has; nil where it has none yet.
func (s *session) counter(ctx context.Context, path string) (*counter, error) {
	answer, err := s.call(ctx, http.MethodGet, "counter/"+path, nil, maxAnswer)
	var refusal *Refusal
	if errors.As(err, &refusal) && refusal.Code == noResource {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	known := &counter{}
	if err := strictjson.Decode(answer, known); err != nil || known.Generation < 1 || known.Generation >= maxGeneration {
		return nil, ErrAnswer
	}
	return known, nil
}

// nextOf is the step of a start. The disk has the generation of the counter, or the one after it
// where the start before was cut off.
func nextOf(known *counter, volume Volume) (counterStep, error) {
	step := counterStep{volume.Volume(), 0, sealedvolume.FirstGeneration + 1}
	from := int64(sealedvolume.FirstGeneration)
	if known != nil {
		if known.Volume != step.Volume {
			return step, ErrOther
		}
		from = known.Generation
		step.From, step.To = from, from+1
	}
	switch has := volume.Generation(); {
	case has < uint64(from):
		return step, ErrRolledBack
	case has > uint64(step.To):
		return step, ErrBehind
	}
	return step, nil
}
