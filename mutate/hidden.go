package mutate

import (
	"encoding/binary"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/tightship-dev/tightship/internal/canary"
	"github.com/tightship-dev/tightship/probe"
	"github.com/tightship-dev/tightship/spec"
)

// hidden weakens credentials in files and in the image, and what of the image
// carries privilege. The values are made up here, in pieces so that no scanner
// takes this file for a leak.
func hidden() []Mutation {
	fake := func(parts ...string) string { return strings.Join(parts, "") }
	token := fake("gh", "p_", "0123456789abcdefghijABCDEFGHIJ012345")
	return []Mutation{
		inImage("image.ssh-key", "an SSH key in a home of the image", secretFile("/home/claude-agent/.ssh/id_ed25519",
			fake("-----BEGIN OPENSSH PRIV", "ATE KEY-----\nbm90LWEta2V5LW5vdC1hLWtleS1ub3QtYS1rZXk=\n-----END OPENSSH PRIV", "ATE KEY-----\n"))),
		inImage("image.npm-token", "an npm token in root's home of the image", secretFile("/root/.npmrc", fake("//registry.npmjs.org/:_auth", "Token=not-a-token-at-all\n"))),
		inImage("image.git-credentials", "a password in the image's git configuration", secretFile("/home/claude-agent/.gitconfig",
			fake("[url \"https://me:", "hunter2", "@git.example/\"]\n\tinsteadOf = https://git.example/\n"))),
		inImage("image.run-secret", "a secret at /run/secrets", secretFile("/run/secrets/db", "hunter2\n")),
		inImage("image.service-account", "a service account's token", secretFile("/run/secrets/kubernetes.io/serviceaccount/token",
			fake("ey", "JhbGciOiJub25lIn0.ey", "JzdWIiOiJub2JvZHkifQ.x"))),
		{ID: "image.env", Title: "a token in the image's environment", Image: &spec.ImageChange{Env: []string{"BUILD_INFO=" + token}}},
		{ID: "image.label", Title: "a token in a label of the image", Image: &spec.ImageChange{Labels: map[string]string{"com.example.build-info": token}}},
		{ID: "image.history", Title: "a build argument with a password in the image's history", Image: &spec.ImageChange{Comment: fake("ARG DB_PASS", "WORD=correct-horse")}},
		{
			ID: "image.root-user", Title: "the image's user is root, and no other is asked for", Image: &spec.ImageChange{User: "0:0"},
			Apply: func(c *spec.Container) { c.User = "" }, Blinds: []string{"priv.no-new-privs", "priv.no-suid", "kernel.no-ptrace-across"}, // as user.root
		},
		{
			ID: "image.suid-nnp-off", Title: "a setuid-root program in the image, and no-new-privileges is off", Apply: noNNP,
			Image: &spec.ImageChange{Files: []spec.File{program(0o4755, nil)}},
		},
		{
			ID: "image.file-capability-nnp-off", Title: "a program with a file capability in the image, and no-new-privileges is off", Apply: noNNP,
			Image: &spec.ImageChange{Files: []spec.File{program(0o755, map[string]string{"security.capability": netBind()})}},
		},
		{
			ID: "mount.home-cache", Title: "a directory of the user's home is mounted", Local: true,
			Apply: func(c *spec.Container) {
				// That of the canary: the rest of a real home is nobody's business.
				c.Mounts = append(c.Mounts, spec.Mount{Kind: spec.Bind, Source: filepath.Dir(canary.Dir()), Target: "/mnt/home", ReadOnly: true})
			},
		},
		{ID: "env.verifiers", Title: "the environment of whoever started it is passed on", Apply: func(c *spec.Container) {
			value, _ := canary.Environment()
			c.Env = append(c.Env, canary.Variable+"="+value)
		}},
	}
}

func noNNP(c *spec.Container) { c.NoNewPrivileges = false }

// inImage is a weakening of the image's files alone.
func inImage(id, title string, files []spec.File) Mutation {
	return Mutation{ID: id, Title: title, Image: &spec.ImageChange{Files: files}}
}

// secretFile is a file that everybody in the container may read.
func secretFile(path, content string) []spec.File {
	return []spec.File{{Path: path, Mode: 0o644, Content: []byte(content)}}
}

// program is our helper program in the image. It is never executed there: what a
// privileged file is worth shows by one of our own.
func program(mode uint32, xattrs map[string]string) spec.File {
	data, err := probe.HelperELF(runtime.GOARCH)
	if err != nil {
		data = []byte("#!/bin/sh\n") // of a machine that no guest is built for
	}
	return spec.File{Path: "/usr/local/bin/tightship-helper", Mode: mode, Content: data, Xattrs: xattrs}
}

// netBind is CAP_NET_BIND_SERVICE, permitted and effective, as the kernel keeps
// it with a file (struct vfs_cap_data, capabilities(7)).
func netBind() string {
	b := make([]byte, 20)
	binary.LittleEndian.PutUint32(b, 0x02000001)
	binary.LittleEndian.PutUint32(b[4:], 1<<10)
	return string(b)
}
