package receipt

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/secure-systems-lab/go-securesystemslib/signerverifier"

	"github.com/tightship-dev/tightship/receipt/keys"
)

// inToto is the key as in-toto's own library reads it from what `tightship key
// generate` writes for others, under the name that our signatures give it.
func inToto(t *testing.T, key ed25519.PublicKey) dsse.Verifier {
	t.Helper()
	pem, err := keys.MarshalPublic(key)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := signerverifier.LoadKey(pem)
	if err != nil {
		t.Fatalf("the library cannot read our public key: %v", err)
	}
	loaded.KeyID = keys.ID(key)
	v, err := signerverifier.NewED25519SignerVerifierFromSSLibKey(loaded)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// The DSSE library of in-toto and Sigstore accepts what we sign, gives back the
// very statement, and refuses it once a byte is another; and we accept what it
// signs, under the name that it gives the same key.
func TestOtherDSSE(t *testing.T) {
	want := statement(t, nil)
	data := signed(t, want)
	accept := func(data []byte, key ed25519.PublicKey) ([]byte, error) {
		var e dsse.Envelope
		if err := json.Unmarshal(data, &e); err != nil {
			return nil, err
		}
		v, err := dsse.NewEnvelopeVerifier(inToto(t, key))
		if err != nil {
			t.Fatal(err)
		}
		_, payload, err := v.VerifyAndDecode(t.Context(), &e)
		return payload, err
	}
	payload, err := accept(data, keys.Public(testKey))
	if err != nil {
		t.Fatalf("ours is refused: %v", err)
	}
	var got Statement
	if err := json.Unmarshal(payload, &got); err != nil || got.Predicate.Tightship.Image != want.Predicate.Tightship.Image || len(got.Subject) != len(want.Subject) {
		t.Errorf("it reads another statement (%v): %+v", err, got)
	}
	if _, err := accept(data, keys.Public(otherKey)); err == nil {
		t.Error("ours is accepted with a key that did not sign it")
	}
	changed := bytes.Replace(data, []byte(PayloadType), []byte("application/vnd.in-toto+jsom"), 1)
	if _, err := accept(changed, keys.Public(testKey)); bytes.Equal(changed, data) || err == nil {
		t.Error("ours is accepted with another payload type than was signed")
	}

	pem, err := keys.MarshalPrivate(testKey)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := signerverifier.LoadKey(pem)
	if err != nil {
		t.Fatalf("the library cannot read our private key: %v", err)
	}
	theirs, err := signerverifier.NewED25519SignerVerifierFromSSLibKey(loaded)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := dsse.NewEnvelopeSigner(theirs)
	if err != nil {
		t.Fatal(err)
	}
	e, err := signer.SignPayload(t.Context(), PayloadType, payload)
	if err != nil {
		t.Fatal(err)
	}
	data, err = json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if err := check(data, testKey, expect()); err != nil {
		t.Errorf("theirs, by the key %s, is refused: %v", e.Signatures[0].KeyID, err)
	}
	if err := check(data, otherKey, expect()); err == nil {
		t.Error("theirs is accepted with a key that did not sign it")
	}
}
