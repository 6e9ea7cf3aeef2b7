package secret

import "errors"

// Errors about a credential. They say what is wrong, never what the value is.
var (
	// ErrReference: what should say where a credential comes from does not.
	ErrReference = errors.New("it does not say where a credential comes from")
	// ErrMissing: there is no such variable, file or keyring item.
	ErrMissing = errors.New("there is no such credential")
	// ErrEmpty: the source is there, and holds nothing.
	ErrEmpty = errors.New("the credential is empty")
	// ErrTooLong: the value is longer than MaxSize.
	ErrTooLong = errors.New("the credential is longer than 64 KiB")
	// ErrHeader: the value holds a character that no HTTP header can.
	ErrHeader = errors.New("the credential holds a character that no HTTP header can")
	// ErrPermissions: others than the user can read the file, or write it.
	ErrPermissions = errors.New("others can read or change it")
	// ErrCommand: the command of exec: failed, or took too long.
	ErrCommand = errors.New("the command gave no credential")
	// ErrDecrypt: an age file could not be opened.
	ErrDecrypt = errors.New("it cannot be decrypted")
	// ErrNoKeyring: this machine, or this session, has none.
	ErrNoKeyring = errors.New("no keyring can be reached")
	// ErrTokenFile: the file of oauth: is not one that can be read.
	ErrTokenFile = errors.New("it is no token file that can be read")
	// ErrRevoked: the login is no longer accepted, and only a new one helps.
	ErrRevoked = errors.New("the login is no longer accepted")
	// ErrTemporary: the same may succeed later. Other errors want a hand.
	ErrTemporary = errors.New("it may succeed later")
	// ErrRevokedByUser: Keeper.Revoke was called.
	ErrRevokedByUser = errors.New("the credential is revoked")
	// ErrClosed: the Value or the Keeper was closed.
	ErrClosed = errors.New("the credential is closed")
)
