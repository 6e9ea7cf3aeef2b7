package image

import "errors"

// What can stop a build, for errors.Is. [Hint] has a remedy for each.
var (
	// ErrNoDocker: there is no docker command.
	ErrNoDocker = errors.New("no docker command")
	// ErrNoBuildKit: no docker command found can build with BuildKit.
	ErrNoBuildKit = errors.New("the docker command cannot use BuildKit")
	// ErrNoEngine: the docker command reaches no engine.
	ErrNoEngine = errors.New("no container engine answers")
	// ErrBase: the base image is not on this machine and could not be pulled.
	ErrBase = errors.New("cannot get the base image")
	// ErrCAFile: the CA file cannot be read or is not one.
	ErrCAFile = errors.New("cannot use the CA file")
	// ErrCertificate: a download met a certificate that the build does not trust.
	ErrCertificate = errors.New("a download's certificate is not trusted")
	// ErrUnreachable: the build's steps do not reach a package registry.
	ErrUnreachable = errors.New("the build's steps do not reach the network")
	// ErrBuild: a step failed for a reason of its own.
	ErrBuild = errors.New("the build failed")
)

var hints = []struct {
	err  error
	hint string
}{
	{ErrNoDocker, "install Docker's command line (Debian and Ubuntu: apt-get install docker.io)"},
	{ErrNoBuildKit, "install the buildx plugin (Debian and Ubuntu: docker-buildx, Docker's own packages: docker-buildx-plugin)"},
	{ErrNoEngine, "start the engine, or point DOCKER_HOST at one; you may need to be root or in the group docker"},
	{ErrBase, "name an image that is there with --base; where no registry is reached, scripts/base-image.sh makes tightship-base:bookworm out of Debian packages"},
	{ErrCAFile, "--ca takes a file of PEM certificates (-----BEGIN CERTIFICATE-----)"},
	{ErrCertificate, "if a proxy intercepts this machine's HTTPS, name its CA with --ca FILE (often /etc/ssl/certs/ca-certificates.crt)"},
	{ErrUnreachable, "if this machine itself is online, let the build use its network: --network host"},
	{ErrBuild, "the end of the builder's log is above; --no-cache starts afresh"},
}

// Hint says what to do about an error of [Build], in one line; it is empty when
// there is nothing to say.
func Hint(err error) string {
	for _, h := range hints {
		if errors.Is(err, h.err) {
			return h.hint
		}
	}
	return ""
}
