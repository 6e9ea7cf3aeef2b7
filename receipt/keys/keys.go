// Package keys makes and reads the keys that sign receipts.
//
// They are Ed25519, in the forms that openssl and everybody else reads: PKCS #8
// in PEM for the private key, PKIX (SubjectPublicKeyInfo) in PEM for the public
// one. A private key may also be an age file, armored or not, that holds that
// PEM: encrypted for an age recipient or with a passphrase.
//
// A key is named by its ID: the SHA-256 of the PKIX form in DER, in hex.
package keys

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
)

// Errors about what a key file holds.
var (
	ErrNotKey    = errors.New("it holds no key in PEM form")
	ErrKind      = errors.New("receipts are signed with Ed25519")
	ErrEncrypted = errors.New("the key is encrypted in a form that is not read")
	ErrPublic    = errors.New("it holds a public key, and a private one is needed")
	ErrPrivate   = errors.New("it holds a private key, and the public one is needed")
)

// Generate makes a new key.
func Generate() (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

// Public is the public half.
func Public(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

// MarshalPrivate writes a private key as PKCS #8 in PEM.
func MarshalPrivate(key ed25519.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// MarshalPublic writes a public key as PKIX in PEM.
func MarshalPublic(key ed25519.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// ParsePrivate reads what MarshalPrivate writes. The error wraps one of this
// package's.
func ParsePrivate(data []byte) (ed25519.PrivateKey, error) {
	b, err := block(data)
	if err != nil {
		return nil, err
	}
	switch b.Type {
	case "PRIVATE KEY":
		key, err := x509.ParsePKCS8PrivateKey(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotKey, err)
		}
		if key, ok := key.(ed25519.PrivateKey); ok {
			return key, nil
		}
		return nil, fmt.Errorf("%w, and this is a key for %s", ErrKind, algorithm(key))
	case "PUBLIC KEY":
		return nil, ErrPublic
	}
	return nil, foreign(b.Type)
}

// ParsePublic reads what MarshalPublic writes. The error wraps one of this
// package's.
func ParsePublic(data []byte) (ed25519.PublicKey, error) {
	if IsAge(data) {
		return nil, ErrPrivate
	}
	b, err := block(data)
	if err != nil {
		return nil, err
	}
	switch b.Type {
	case "PUBLIC KEY":
		key, err := x509.ParsePKIXPublicKey(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotKey, err)
		}
		if key, ok := key.(ed25519.PublicKey); ok {
			return key, nil
		}
		return nil, fmt.Errorf("%w, and this is a key for %s", ErrKind, algorithm(key))
	case "PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY":
		return nil, ErrPrivate
	}
	return nil, foreign(b.Type)
}

// block is the one PEM block of a file.
func block(data []byte) (*pem.Block, error) {
	b, rest := pem.Decode(data)
	switch {
	case b == nil && bytes.HasPrefix(bytes.TrimSpace(data), []byte("ssh-")):
		return nil, foreign("OPENSSH PUBLIC KEY")
	case b == nil:
		return nil, ErrNotKey
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, fmt.Errorf("%w alone: something follows it", ErrNotKey)
	}
	return b, nil
}

// foreign says what another program's PEM block is.
func foreign(kind string) error {
	switch kind {
	case "ENCRYPTED PRIVATE KEY":
		return fmt.Errorf("%w: PKCS #8 with a password", ErrEncrypted)
	case "OPENSSH PRIVATE KEY", "OPENSSH PUBLIC KEY":
		return fmt.Errorf("%w: it is a key in OpenSSH's own form", ErrNotKey)
	case "RSA PRIVATE KEY", "RSA PUBLIC KEY":
		return fmt.Errorf("%w, and this is a key for RSA", ErrKind)
	case "EC PRIVATE KEY":
		return fmt.Errorf("%w, and this is a key for ECDSA", ErrKind)
	}
	return fmt.Errorf("%w: it is a %q", ErrNotKey, kind)
}

func algorithm(key any) string {
	switch key.(type) {
	case *rsa.PrivateKey, *rsa.PublicKey:
		return "RSA"
	case *ecdsa.PrivateKey, *ecdsa.PublicKey:
		return "ECDSA"
	}
	return "something else"
}

// ID names a key: `openssl pkey -pubin -in FILE -outform DER | sha256sum`.
func ID(key ed25519.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "" // a key of the wrong length, which signs nothing
	}
	return hexSum(der)
}

// Aliases are the IDs by which other tools call the same key: the older and the
// present one of securesystemslib, which in-toto and TUF use.
func Aliases(key ed25519.PublicKey) []string {
	form := func(algorithms string) string {
		return hexSum(fmt.Appendf(nil, `{%s"keytype":"ed25519","keyval":{"public":"%x"},"scheme":"ed25519"}`, algorithms, []byte(key)))
	}
	return []string{form(`"keyid_hash_algorithms":["sha256","sha512"],`), form("")}
}

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
