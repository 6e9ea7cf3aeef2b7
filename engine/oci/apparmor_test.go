//go:build linux

package oci

import "testing"

func TestEnforced(t *testing.T) {
	for name, row := range map[string]struct{ list, want string }{
		"none":                     {"", ""},
		"programs' own":            {"/usr/bin/man (enforce)\nlsb_release (enforce)\n", ""},
		"Docker's":                 {"man_groff (enforce)\ndocker-default (enforce)\n", "docker-default"},
		"one that only complains":  {"docker-default (complain)\n", ""},
		"one that begins like it":  {"docker-default-mine (enforce)\n", ""},
		"Podman's, of a version":   {"containers-default-0.50.1 (enforce)\n", "containers-default-0.50.1"},
		"Podman's twice":           {"containers-default-0.50.1 (enforce)\ncontainers-default-0.57.0 (enforce)\n", "containers-default-0.57.0"},
		"Docker's before Podman's": {"containers-default-0.50.1 (enforce)\ndocker-default (enforce)\n", "docker-default"},
		"the next that refuses":    {"docker-default (complain)\ncrio-default (enforce)\n", "crio-default"},
		"no mode":                  {"docker-default\n", ""},
	} {
		if got := enforced(row.list); got != row.want {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
}
