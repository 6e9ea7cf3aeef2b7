package receipt

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/tightship-dev/tightship/receipt/keys"
)

// MaxSize is how many bytes a receipt may have.
const MaxSize = 4 << 20

// maxSignatures bounds the work that an envelope can ask for.
const maxSignatures = 16

// ErrMalformed says that something is no receipt: no DSSE envelope in the one
// form that is read, or no statement of the kind that it says it is.
var ErrMalformed = errors.New("it is no receipt")

// Envelope is a DSSE envelope, decoded but not verified: nothing in it can be
// believed yet.
type Envelope struct {
	PayloadType string
	Payload     []byte
	Signatures  []Signature
}

// Signature is one signature. KeyID is a hint, and may be empty.
type Signature struct {
	KeyID string
	Sig   []byte
}

// preAuth is what DSSE signs (its "PAE"): the type and the payload, each with its
// length, so that neither can grow into the other.
func preAuth(payloadType string, payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
}

// Sign makes a receipt: one line of JSON.
func Sign(s Statement, key ed25519.PrivateKey) ([]byte, error) {
	payload, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode the statement: %w", err)
	}
	payload = ascii(payload)
	type signature struct {
		KeyID string `json:"keyid"`
		Sig   []byte `json:"sig"`
	}
	out, err := json.Marshal(struct {
		PayloadType string      `json:"payloadType"`
		Payload     []byte      `json:"payload"`
		Signatures  []signature `json:"signatures"`
	}{PayloadType, payload, []signature{{keys.ID(keys.Public(key)), ed25519.Sign(key, preAuth(PayloadType, payload))}}})
	if err != nil {
		return nil, fmt.Errorf("encode the envelope: %w", err)
	}
	if len(out) >= MaxSize {
		return nil, fmt.Errorf("the receipt would have %d bytes, and %d are the most", len(out), MaxSize)
	}
	return append(out, '\n'), nil
}

// ascii writes JSON's other characters as escapes: whoever decodes a payload in a
// terminal sees no character of somebody else's that the terminal acts on.
func ascii(data []byte) []byte {
	var out []byte
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case r < 0x7f:
			out = append(out, data[0])
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		data = data[size:]
	}
	return out
}

// Parse reads an envelope. It is stricter than DSSE asks for, so that there are
// no two spellings of one receipt: only the known fields, by their exact names
// and once each; base64 in the standard alphabet with its padding; nothing after
// the end but one line feed. The error wraps ErrMalformed.
func Parse(data []byte) (*Envelope, error) {
	e, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return e, nil
}

func parse(data []byte) (*Envelope, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("it has more than %d bytes", MaxSize)
	}
	data = bytes.TrimSuffix(data, []byte("\n"))
	if len(data) == 0 {
		return nil, errors.New("it is empty")
	}
	if data[0] != '{' || data[len(data)-1] != '}' {
		return nil, errors.New("it is not one JSON object, from its first byte to its last")
	}
	if err := strict(data); err != nil {
		return nil, err
	}
	var e Envelope
	var payload string
	var signatures []json.RawMessage
	err := fields(data, map[string]any{"payloadType": &e.PayloadType, "payload": &payload, "signatures": &signatures}, nil)
	if err != nil {
		return nil, err
	}
	if len(signatures) == 0 {
		return nil, errors.New("it has no signature")
	}
	if len(signatures) > maxSignatures {
		return nil, fmt.Errorf("it has %d signatures, and %d are the most", len(signatures), maxSignatures)
	}
	if e.Payload, err = decode64("payload", payload); err != nil {
		return nil, err
	}
	for _, raw := range signatures {
		var s Signature
		var sig string
		if err := fields(raw, map[string]any{"sig": &sig}, map[string]any{"keyid": &s.KeyID}); err != nil {
			return nil, err
		}
		if s.Sig, err = decode64("sig", sig); err != nil {
			return nil, err
		}
		e.Signatures = append(e.Signatures, s)
	}
	return &e, nil
}

// fields reads a JSON object with exactly these fields. encoding/json alone would
// take "Payload" for "payload".
func fields(data []byte, required, optional map[string]any) error {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil || object == nil {
		return errors.New("the envelope has a value of the wrong type")
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		into := required[name]
		if into == nil {
			into = optional[name]
		}
		if into == nil {
			return fmt.Errorf("the envelope has a field %q, which nobody signed", name)
		}
		if bytes.Equal(object[name], []byte("null")) || json.Unmarshal(object[name], into) != nil {
			return fmt.Errorf("%s has the wrong type", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(required)) {
		if _, ok := object[name]; !ok {
			return fmt.Errorf("the envelope has no %s", name)
		}
	}
	return nil
}

// decode64 reads base64 in its one canonical spelling.
func decode64(name, text string) ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil || text == "" || base64.StdEncoding.EncodeToString(data) != text {
		return nil, fmt.Errorf("%s is not base64 in its standard form", name)
	}
	return data, nil
}
