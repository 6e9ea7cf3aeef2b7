package keys

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// ErrLocked says that a key is encrypted and that nothing given opens it.
var ErrLocked = errors.New("the key is encrypted")

// ageHeader begins an age file that is not armored.
const ageHeader = "age-encryption.org/"

// maxKey bounds the key in an age file.
const maxKey = 64 << 10

// IsAge says whether a file is age's.
func IsAge(data []byte) bool {
	return bytes.HasPrefix(data, []byte(ageHeader)) || bytes.HasPrefix(bytes.TrimSpace(data), []byte(armor.Header))
}

// NeedsPassphrase says whether an age file is encrypted with a passphrase.
func NeedsPassphrase(data []byte) bool {
	header := data
	if r := armored(data); r != nil {
		// What the armor holds begins with the header, which is a few hundred bytes.
		header, _ = io.ReadAll(io.LimitReader(r, 1<<10))
	}
	return bytes.Contains(header[:min(len(header), 1<<10)], []byte("\n-> scrypt "))
}

func armored(data []byte) io.Reader {
	if trimmed := bytes.TrimSpace(data); bytes.HasPrefix(trimmed, []byte(armor.Header)) {
		return armor.NewReader(bytes.NewReader(trimmed))
	}
	return nil
}

// Recipients reads age recipients, one a line.
func Recipients(text string) ([]age.Recipient, error) {
	return age.ParseRecipients(bytes.NewReader([]byte(text)))
}

// Identities reads an age identity file, as age-keygen writes it.
func Identities(data []byte) ([]age.Identity, error) {
	return age.ParseIdentities(bytes.NewReader(data))
}

// ForPassphrase is the recipient that stands for a passphrase.
func ForPassphrase(passphrase string) (age.Recipient, error) {
	return age.NewScryptRecipient(passphrase)
}

// FromPassphrase is the identity that stands for a passphrase.
func FromPassphrase(passphrase string) (age.Identity, error) {
	return age.NewScryptIdentity(passphrase)
}

// Encrypt returns data as an armored age file.
func Encrypt(data []byte, recipients ...age.Recipient) ([]byte, error) {
	var out bytes.Buffer
	a := armor.NewWriter(&out)
	w, err := age.Encrypt(a, recipients...)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := errors.Join(w.Close(), a.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Decrypt opens an age file. The error wraps ErrLocked where none of the
// identities fits.
func Decrypt(data []byte, identities ...age.Identity) ([]byte, error) {
	var r io.Reader = bytes.NewReader(data)
	if a := armored(data); a != nil {
		r = a
	}
	if len(identities) == 0 {
		return nil, ErrLocked
	}
	plain, err := age.Decrypt(r, identities...)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return nil, fmt.Errorf("%w, and what was given does not open it", ErrLocked)
	}
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(plain, maxKey+1))
	if err == nil && len(out) > maxKey {
		err = fmt.Errorf("%w: it is too long", ErrNotKey)
	}
	return out, err
}
