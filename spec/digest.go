package spec

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

// DigestSchema names the form that Digest is taken of. It is part of what is
// hashed, so that another form can never give the same digest.
const DigestSchema = "tightship.settings/v1"

// Digest is "sha256:" and the hex digest of the settings' canonical form: two
// containers with the same one are held by the same settings. The form is a JSON
// object with the keys "schema", "settings" (a Container, as its JSON) and
// "other", without white space and with every object's keys sorted.
//
// What configures nothing is left out: the image, which has a digest of its own,
// the labels, and the names of anonymous volumes. The order of what has none
// (capabilities, groups, devices, mounts) does not matter. other is what is in
// force that Container has no word for (engine.State.Other), in any order.
func (c Container) Digest(other ...string) string {
	sum := sha256.Sum256(c.canonical(other))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (c Container) canonical(other []string) []byte {
	c = c.Clone()
	c.Image, c.Labels = "", nil
	for _, list := range [][]string{c.Groups, c.CapAdd, c.CapDrop, c.Devices} {
		slices.Sort(list)
	}
	for i, m := range c.Mounts {
		if m.Kind == Volume && anonymous(m.Source) {
			c.Mounts[i].Source = ""
		}
	}
	slices.SortFunc(c.Mounts, func(a, b Mount) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Source, b.Source))
	})
	var seccomp bytes.Buffer
	if json.Compact(&seccomp, []byte(c.Seccomp)) == nil {
		c.Seccomp = seccomp.String()
	}
	other = slices.Sorted(slices.Values(other))
	if other == nil {
		other = []string{}
	}
	form, err := sorted(struct {
		Schema   string    `json:"schema"`
		Settings Container `json:"settings"`
		Other    []string  `json:"other"`
	}{DigestSchema, c, other})
	if err != nil {
		panic(fmt.Sprintf("spec: digest: %v", err)) // these types always encode
	}
	return form
}

// sorted encodes a value with the keys of every object in order, those of
// structs too, so that the form does not hang on the order of Go's fields.
func sorted(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // sizes do not fit a float
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err = encoder.Encode(tree)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// anonymous says whether a volume's name is one that the engine made up.
func anonymous(volume string) bool {
	b, err := hex.DecodeString(volume)
	return err == nil && len(b) == sha256.Size
}
