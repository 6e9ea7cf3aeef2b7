//go:build linux

package oci

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/user"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/tightship-dev/tightship/internal/text"
	"github.com/tightship-dev/tightship/spec"
)

// environment is the image's with the caller's in place of or after it.
func environment(image, added []string, hostname string) ([]string, error) {
	all := []string{defaultPath, "HOSTNAME=" + hostname}
	for i, kv := range slices.Concat(image, added) {
		key, _, ok := strings.Cut(kv, "=")
		if !ok || key == "" || strings.ContainsRune(kv, 0) {
			if i < len(image) {
				continue // as Docker: an image may say nonsense
			}
			return nil, fmt.Errorf("%w: an environment entry is not KEY=VALUE", ErrInput)
		}
		all = slices.DeleteFunc(all, func(have string) bool { return strings.HasPrefix(have, key+"=") })
		all = append(all, kv)
	}
	return all, nil
}

// knownRlimits are getrlimit(2)'s, by spec.Container.Ulimits' names.
var knownRlimits = []string{"as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack"}

func rlimits(asked map[string]int64) ([]specs.POSIXRlimit, error) {
	var out []specs.POSIXRlimit
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		value := asked[name]
		if !slices.Contains(knownRlimits, name) || value < spec.Unlimited {
			return nil, fmt.Errorf("%w: ulimit %s=%d", ErrInput, text.OneLine(name), value)
		}
		// -1 is the kernel's word for unlimited too: all bits set.
		out = append(out, specs.POSIXRlimit{Type: "RLIMIT_" + strings.ToUpper(name), Soft: uint64(value), Hard: uint64(value)})
	}
	return out, nil
}

// lookUp finds a user in the image's passwd and group, as Docker does.
func (img *rootImage) lookUp(who string, groups []string) (specs.User, error) {
	passwd, group := img.etc("passwd"), img.etc("group")
	u, err := user.GetExecUser(who, &user.ExecUser{}, strings.NewReader(passwd), strings.NewReader(group))
	if err != nil {
		return specs.User{}, fmt.Errorf("%w: user %q: %w", ErrInput, text.OneLine(who), err)
	}
	more, err := user.GetAdditionalGroups(groups, strings.NewReader(group))
	if err != nil {
		return specs.User{}, fmt.Errorf("%w: groups %q: %w", ErrInput, groups, err)
	}
	out := specs.User{UID: uint32(u.Uid), GID: uint32(u.Gid)}
	for _, g := range slices.Concat(u.Sgids, more) {
		if id := uint32(g); !slices.Contains(out.AdditionalGids, id) {
			out.AdditionalGids = append(out.AdditionalGids, id)
		}
	}
	return out, nil
}

// ids is a user as spec.Container writes it.
func ids(u specs.User) string {
	return strconv.FormatUint(uint64(u.UID), 10) + ":" + strconv.FormatUint(uint64(u.GID), 10)
}
