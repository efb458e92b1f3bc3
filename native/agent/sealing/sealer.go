package sealing

import (
	"crypto/rand"
	"encoding/binary"
	"errors"

	"a3s.dev/box/agent/evidence"
	"a3s.dev/box/agent/jsonapi"
	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/snp"
	"a3s.dev/box/agent/tee"
)

// Rates of keys. Callers from outside and the workload have separate ones, and cannot use up each
// other's.
const (
	burst     = 32
	perSecond = 4
)

// Config says who the guest is.
type Config struct {
	Processor tee.Processor
	Simulated bool
	// Report is a report of the guest, which covers its launch spec.
	Report *snp.Report
	// Sealing is the launch spec's.
	Sealing string
}

// Sealer seals and unseals for one guest. Its methods can be called by several goroutines at once.
type Sealer struct {
	config            Config
	tee               byte
	session, workload *evidence.Bucket
}

// New makes a sealer.
func New(config Config) *Sealer {
	s := &Sealer{
		config: config, tee: teeSNP,
		session: evidence.NewBucket(burst, perSecond), workload: evidence.NewBucket(burst, perSecond),
	}
	if config.Simulated {
		s.tee = teeSimulated
	}
	return s
}

// Permits is an error where the launch spec permits no sealing at all.
func (s *Sealer) Permits() error {
	if s.config.Sealing == launchspec.SealingExact || s.config.Sealing == launchspec.SealingUpgradable {
		return nil
	}
	return ErrPolicy
}

func (s *Sealer) permits(policy Policy) error {
	if s.config.Sealing == launchspec.SealingUpgradable || policy == Exact && s.config.Sealing == launchspec.SealingExact {
		return nil
	}
	return ErrPolicy
}

// Session seals for callers from outside, and Workload for those in the box. The caller of Session
// sees to it that they may.
func (s *Sealer) Session() *Caller { return &Caller{Sealer: s, rate: s.session, domain: sealDomain} }

// Workload seals for the box.
func (s *Sealer) Workload() *Caller { return &Caller{Sealer: s, rate: s.workload, domain: sealDomain} }

// Caller is a sealer at the rate of one kind of callers.
type Caller struct {
	*Sealer
	rate  *evidence.Bucket
	floor Floor
	// domain is of the keys of its envelopes.
	domain string
}

// AtLeast opens nothing below a floor.
func (c *Caller) AtLeast(floor Floor) *Caller { return &Caller{c.Sealer, c.rate, floor, c.domain} }

// Terms say what an envelope is for, and which guests open it.
type Terms struct {
	Purpose string
	// Policy is exact or upgradable.
	Policy string
	// MinimumSVN is nil for the guest's own.
	MinimumSVN *int64
}

// Seal puts a value into an envelope.
func (c *Caller) Seal(terms Terms, value []byte) ([]byte, error) {
	if len(value) > MaxValue {
		return nil, ErrValueSize
	}
	h, err := c.header(terms)
	if err != nil {
		return nil, err
	}
	var sealed []byte
	err = c.withKey(h, func(key []byte) (err error) {
		sealed, err = h.seal(c.domain, value, key)
		return err
	})
	return sealed, err
}

// Unseal returns the value of an envelope that is for this guest and for a purpose.
func (c *Caller) Unseal(data []byte, purpose string) ([]byte, error) {
	if !isPurpose(purpose) {
		return nil, ErrNoPurpose
	}
	if len(data) > MaxEnvelope {
		return nil, ErrMalformed
	}
	e, err := parseEnvelope(data)
	if err != nil {
		return nil, err
	}
	if err := c.permit(e.header, purpose); err != nil {
		return nil, err
	}
	if err := c.floor.permit(e.header); err != nil {
		return nil, err
	}
	var value []byte
	err = c.withKey(e.header, func(key []byte) (err error) {
		value, err = e.open(c.domain, key)
		return err
	})
	return value, err
}

// Derive returns a key for the workload's own use, and the reference that Again takes.
func (c *Caller) Derive(terms Terms) (key, reference []byte, err error) {
	h, err := c.header(terms)
	if err != nil {
		return nil, nil, err
	}
	err = c.withKey(h, func(processorKey []byte) error {
		mac, err := h.authenticate(processorKey)
		if err != nil {
			return err
		}
		reference = append(h.encode(), mac...)
		key, err = h.expand(deriveDomain, processorKey)
		return err
	})
	return key, reference, err
}

// Again returns the key of a reference.
func (c *Caller) Again(reference []byte, purpose string) ([]byte, error) {
	if !isPurpose(purpose) {
		return nil, ErrNoPurpose
	}
	h, mac, err := parseReference(reference)
	if err != nil {
		return nil, err
	}
	if err := c.permit(h, purpose); err != nil {
		return nil, err
	}
	if err := c.floor.permit(h); err != nil {
		return nil, err
	}
	var key []byte
	err = c.withKey(h, func(processorKey []byte) (err error) {
		key, err = h.again(mac, processorKey)
		return err
	})
	return key, err
}

// header is a new one of this guest.
func (s *Sealer) header(terms Terms) (*header, error) {
	policy := map[string]Policy{launchspec.SealingExact: Exact, launchspec.SealingUpgradable: Upgradable}[terms.Policy]
	if policy == 0 {
		return nil, ErrNoPolicy
	}
	if err := s.permits(policy); err != nil {
		return nil, err
	}
	if !isPurpose(terms.Purpose) {
		return nil, ErrNoPurpose
	}
	report := s.config.Report
	h := &header{
		tee: s.tee, policy: policy, purpose: terms.Purpose, guestSVN: report.GuestSVN,
		tcb: binary.LittleEndian.Uint64(report.CommittedTCB[:]), hostData: report.HostData,
	}
	if policy == Exact {
		h.measurement = report.Measurement
	} else {
		h.idKeyDigest = report.IDKeyDigest
		if h.idKeyDigest == [48]byte{} {
			return nil, ErrNoIDKey
		}
	}
	if svn := terms.MinimumSVN; svn != nil {
		if policy != Upgradable || *svn < 0 || *svn > int64(report.GuestSVN) {
			return nil, ErrMinimumSVN
		}
		h.guestSVN = uint32(*svn)
	}
	// Never fails; see package crypto/rand.
	_, _ = rand.Read(h.salt[:])
	return h, nil
}

// permit says which rule keeps the guest from opening what has this header. A guest that skipped
// these rules would get another key.
func (s *Sealer) permit(h *header, purpose string) error {
	report := s.config.Report
	if h.tee != s.tee {
		return ErrTEE
	}
	if err := s.permits(h.policy); err != nil {
		return err
	}
	switch {
	case h.purpose != purpose:
		return ErrPurpose
	case h.hostData != report.HostData || h.hostData == [32]byte{}:
		return ErrSpec
	case h.policy == Exact && h.measurement != report.Measurement:
		return ErrMeasurement
	case h.policy == Upgradable && h.idKeyDigest != report.IDKeyDigest:
		return ErrIDKey
	case h.guestSVN > report.GuestSVN:
		return ErrSVN
	default:
		return nil
	}
}

// withKey has the processor's key of a header used, and overwrites it.
func (c *Caller) withKey(h *header, use func(key []byte) error) error {
	if !c.rate.Take() {
		return jsonapi.ErrTooMany
	}
	key, err := c.config.Processor.DeriveKey(tee.KeyRequest{
		RootKey: tee.VCEK, Fields: h.policy.fields(), VMPL: 0, GuestSVN: h.guestSVN, TCB: h.tcb,
	})
	defer clear(key[:])
	if err != nil {
		return keyError(err)
	}
	return use(key[:])
}

// keyError tells a processor that refuses from one that does not answer.
func keyError(err error) error {
	var refusal *tee.Refusal
	if errors.As(err, &refusal) && refusal.Code == "refused" || errors.Is(err, tee.ErrKey) {
		return ErrNoKey
	}
	return jsonapi.ErrProcessor
}
