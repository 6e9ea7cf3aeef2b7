package policy

import (
	"encoding/json"
	"testing"

	"github.com/moby/profiles/seccomp"
)

// The profile that is passed to engines is the one pinned in go.mod.
func TestDefaultSeccompIsPinned(t *testing.T) {
	data, err := json.Marshal(seccomp.DefaultProfile())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "seccomp_moby.json", string(data)+"\n")
}
