package kbs

import (
	"context"

	"a3s.dev/box/agent/sealedvolume"
)

// VolumeKey fetches the key of a volume, and finds out whether its counter was ever advanced. An
// empty counter stands for none. It attests the guest for this call alone, and advances nothing.
// A secret is no such key: an administrator may know it. The caller overwrites the key.
func (c *Client) VolumeKey(ctx context.Context, path, counter string) (*sealedvolume.Keyed, error) {
	s, err := c.attested(ctx)
	if err != nil {
		return nil, err
	}
	defer s.end()
	keyed := &sealedvolume.Keyed{Path: path, Counter: counter}
	if counter != "" {
		known, err := s.counter(ctx, counter)
		if err != nil {
			return nil, err
		}
		keyed.Used = known != nil
	}
	keyed.Key, err = s.resource(ctx, path, volumeKey)
	return keyed, err
}
