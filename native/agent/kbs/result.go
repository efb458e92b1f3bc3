package kbs

import (
	"context"
	"strings"
)

// maxToken is more than an attestation result has.
const maxToken = 8 << 10

// Result is an attestation result of the broker over a nonce of the caller's: a JWT. It attests the
// guest for this call alone.
func (c *Client) Result(ctx context.Context, nonce []byte) (string, error) {
	s, err := c.attested(ctx)
	if err != nil {
		return "", err
	}
	defer s.end()
	var answer struct {
		Token string `json:"token"`
	}
	request := struct {
		Nonce []byte `json:"nonce"`
	}{nonce}
	if err := s.post(ctx, "result", request, &answer); err != nil {
		return "", err
	}
	if !isToken(answer.Token) {
		return "", ErrAnswer
	}
	return answer.Token, nil
}

// isToken is for a JWS in its compact form (RFC 7515, section 7.1). The party that it is for
// verifies it.
func isToken(text string) bool {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || len(text) > maxToken {
		return false
	}
	for _, part := range parts {
		if _, err := decode(part); err != nil || part == "" {
			return false
		}
	}
	return true
}
