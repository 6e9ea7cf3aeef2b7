package docker

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/moby/moby/client"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/internal/text"
)

// tlsFiles is a directory with ca.pem, cert.pem and key.pem. The client's
// certificate may be missing, if its key is too.
type tlsFiles struct {
	dir      string
	verify   bool // the server's certificate
	systemCA bool // without ca.pem the system's authorities count
}

// tlsFromEnv follows the docker command's variables: DOCKER_TLS_VERIFY asks for
// TLS, DOCKER_TLS for TLS without verification. DOCKER_CERT_PATH alone asks for
// neither. nil means no TLS.
func tlsFromEnv() (*tlsFiles, error) {
	verify := os.Getenv(client.EnvTLSVerify) != ""
	if !verify && os.Getenv(envTLS) == "" {
		return nil, nil
	}
	dir := os.Getenv(client.EnvOverrideCertPath)
	if dir == "" {
		dir = configDir()
	}
	return &tlsFiles{dir: dir, verify: verify}, nil
}

// tlsOfContext is nil where a context has no certificates: then it means no TLS.
func tlsOfContext(dir string, skipVerify bool) (*tlsFiles, error) {
	if _, err := os.Stat(dir); err != nil && !skipVerify {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, fmt.Errorf("docker: TLS: %s cannot be read: %s", text.OneLine(dir), plain(err))
	}
	return &tlsFiles{dir: dir, verify: !skipVerify, systemCA: true}, nil
}

// config reads the files; server is the name that its certificate must have.
func (f *tlsFiles) config(server string) (*tls.Config, error) {
	bad := func(name, why, hint string) (*tls.Config, error) {
		return nil, hintedf(hint, "docker: %w: TLS: %s %s", engine.ErrUnreachable, text.OneLine(filepath.Join(f.dir, name)), why)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: server, InsecureSkipVerify: !f.verify}

	ca, err := readRegular(filepath.Join(f.dir, "ca.pem"))
	switch {
	case err == nil:
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(ca) {
			return bad("ca.pem", "holds no certificate", "copy the certificate of the authority that signed the engine's")
		}
	case !errors.Is(err, fs.ErrNotExist):
		return bad("ca.pem", "cannot be read: "+plain(err), "see who may read it")
	case f.verify && !f.systemCA:
		return bad("ca.pem", "is missing", "put the engine's authority there, or name another directory in DOCKER_CERT_PATH")
	}

	cert, certErr := readRegular(filepath.Join(f.dir, "cert.pem"))
	key, keyErr := readRegular(filepath.Join(f.dir, "key.pem"))
	noCert, noKey := errors.Is(certErr, fs.ErrNotExist), errors.Is(keyErr, fs.ErrNotExist)
	switch {
	case noCert && noKey: // the engine may ask for none
		return config, nil
	case noKey:
		return bad("key.pem", "is missing, and cert.pem is of no use without it", "put the private key of cert.pem there")
	case noCert:
		return bad("cert.pem", "is missing, and key.pem is of no use without it", "put the certificate of key.pem there")
	case certErr != nil:
		return bad("cert.pem", "cannot be read: "+plain(certErr), "see who may read it")
	case keyErr != nil:
		return bad("key.pem", "cannot be read: "+plain(keyErr), "see who may read it")
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return bad("cert.pem", "and key.pem are no pair: "+text.OneLine(err.Error()), "the key must be the certificate's, in PEM and without a passphrase")
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// explainTLS says in our words why a TLS connection failed; nil if it is not
// about TLS.
func explainTLS(where Endpoint, err error) error {
	var (
		unknown  x509.UnknownAuthorityError
		name     x509.HostnameError
		invalid  x509.CertificateInvalidError
		notTLS   tls.RecordHeaderError
		rejected *net.OpError
	)
	say := func(sentinel error, what, hint string) error {
		return hintedf(hint, "%w: %s: %s", sentinel, where.Address, what)
	}
	from := text.OneLine(where.tlsFrom)
	switch {
	case where.tls == nil:
		return nil
	case errors.As(err, &unknown):
		return say(engine.ErrUnreachable, "its certificate is signed by an unknown authority",
			"ca.pem in "+from+" must hold the authority that signed the engine's certificate")
	case errors.As(err, &name):
		return say(engine.ErrUnreachable, text.OneLine(name.Error()),
			"use a name that the engine's certificate has, or give the engine a certificate for this one")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return say(engine.ErrUnreachable, "its certificate is not valid now: "+text.OneLine(invalid.Detail),
			"renew the engine's certificate, and see whether the clocks here and there are right")
	case errors.As(err, &invalid):
		return say(engine.ErrUnreachable, "its certificate is not valid: "+text.OneLine(invalid.Error()), "give the engine a certificate for servers")
	case errors.As(err, &notTLS):
		return say(engine.ErrUnreachable, "it speaks no TLS",
			"use the engine's TLS port, usually 2376; unset DOCKER_TLS_VERIFY only if nobody else can reach that network")
	case rejectedByPeer(err, &rejected):
		return say(engine.ErrPermission, "it refuses our certificate: "+text.OneLine(rejected.Err.Error()),
			"cert.pem in "+from+" must be signed by the authority that the engine trusts (its --tlscacert), and be valid now")
	}
	return nil
}

// rejectedByPeer says whether an error is the peer's TLS alert. Under TLS 1.3 it
// comes after the handshake, when the first answer is read.
func rejectedByPeer(err error, op **net.OpError) bool {
	return errors.As(err, op) && (*op).Op == "remote error"
}
