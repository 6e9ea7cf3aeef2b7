package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// identityVariable names the file with the identities.
const identityVariable = "TIGHTSHIP_AGE_IDENTITY"

// ageSource is a file encrypted with age, armored or not. Everybody may read it;
// nobody but the user the identities.
type ageSource struct{ path, identities string }

func openAge(rest string, o Options) (Source, error) {
	path, err := o.place(rest)
	if err != nil {
		return nil, err
	}
	identities := o.Identity
	if identities == "" {
		identities = o.lookup(identityVariable)
	}
	if identities == "" {
		return nil, fmt.Errorf("%w: age: needs the file with your identities (made by age-keygen): set %s to its path", ErrReference, identityVariable)
	}
	// Named by the user's own environment or command, not by the policy file.
	o.BaseDir = ""
	if identities, err = o.place(identities); err != nil {
		return nil, err
	}
	return &ageSource{path, identities}, nil
}

func (s *ageSource) Fetch(context.Context) (*Value, time.Time, error) {
	v, err := s.decrypt()
	return v, time.Time{}, err
}

func (s *ageSource) stamp() string { return stampOf(s.path) + " " + stampOf(s.identities) }

func (s *ageSource) decrypt() (*Value, error) {
	identities, err := readIdentities(s.identities)
	if err != nil {
		return nil, err
	}
	f, _, err := open(s.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	plain, err := age.Decrypt(unarmored(f), identities...)
	var none *age.NoIdentityMatchError
	switch {
	case errors.As(err, &none):
		return nil, fmt.Errorf("%s: %w: it is encrypted for none of the identities in %s (a passphrase cannot be asked for)", s.path, ErrDecrypt, s.identities)
	case err != nil:
		return nil, fmt.Errorf("%s: %w: it is no whole age file", s.path, ErrDecrypt)
	}
	v, err := fill(plain)
	switch {
	case errors.Is(err, ErrEmpty), errors.Is(err, ErrTooLong):
		return nil, fmt.Errorf("%s: %w", s.path, err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w: it is damaged", s.path, ErrDecrypt)
	}
	return v, nil
}

// unarmored reads an age file's bytes, whichever of the two forms it has.
func unarmored(r io.Reader) io.Reader {
	head := make([]byte, len(armor.Header))
	n, _ := io.ReadFull(r, head)
	r = io.MultiReader(bytes.NewReader(head[:n]), r)
	if string(head[:n]) == armor.Header {
		return armor.NewReader(r)
	}
	return r
}

// readIdentities reads what age-keygen writes. The library's own errors are not
// passed on: some repeat a part of the line.
func readIdentities(path string) ([]age.Identity, error) {
	f, _, err := openPrivate(path)
	if err != nil {
		return nil, fmt.Errorf("the age identities: %w", err)
	}
	defer f.Close()
	data := make([]byte, MaxSize)
	defer clear(data)
	n, err := io.ReadFull(f, data)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("the age identities in %s: %w: the file is empty or cannot be read", path, ErrDecrypt)
	}
	all, err := age.ParseIdentities(bytes.NewReader(data[:n]))
	if err != nil {
		return nil, fmt.Errorf("the age identities in %s: %w: want what age-keygen writes, neither encrypted nor a plugin's", path, ErrDecrypt)
	}
	return all, nil
}
