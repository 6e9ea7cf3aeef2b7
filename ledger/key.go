package ledger

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// originPrefix begins a ledger's name: a URL without a scheme, as the
// specification of checkpoints wants it.
const originPrefix = "tightship.dev/ledger/"

const maxKey = 4096

// newKey makes a private key in the form of golang.org/x/mod/sumdb/note, which
// names the ledger as well.
func newKey() (skey string, err error) {
	id := make([]byte, 8)
	_, _ = rand.Read(id) // never fails
	skey, _, err = note.GenerateKey(rand.Reader, originPrefix+hex.EncodeToString(id))
	return skey, err
}

// loadKey reads the private key.
func loadKey(l layer, path string) (note.Signer, string, error) {
	data, err := readAll(l, path, maxKey)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("%w: the key that signed this ledger is missing: %w", ErrKey, err)
	}
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrKey, err)
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		return nil, "", fmt.Errorf("%w: others can read %s (mode %04o): chmod 600, and begin a new ledger with a new key if somebody may have read it", ErrKey, path, info.Mode().Perm())
	}
	s, vkey, err := parseKey(strings.TrimSuffix(string(data), "\n"))
	if err != nil {
		return nil, "", fmt.Errorf("%w: %s: %w", ErrKey, path, err)
	}
	return s, vkey, nil
}

// parseKey reads a private key, and says what its public half is.
func parseKey(skey string) (note.Signer, string, error) {
	signer, err := note.NewSigner(skey)
	if err != nil {
		return nil, "", err
	}
	parts := strings.SplitN(skey, "+", 5) // PRIVATE, KEY, name, hash, key
	seed, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil {
		return nil, "", err
	}
	key := ed25519.NewKeyFromSeed(seed[1:]) // the first byte names the algorithm
	vkey, err := note.NewEd25519VerifierKey(parts[2], key.Public().(ed25519.PublicKey))
	return signer, vkey, err
}
