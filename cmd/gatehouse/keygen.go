package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"

	"github.com/spf13/cobra"
)

// sessionSecretLen is the length of a session secret before its encoding, in
// bytes.
const sessionSecretLen = 48

func (p *program) keygenCommand() *cobra.Command {
	var assertion bool
	cmd := &cobra.Command{
		Use:   "keygen",
		Short: "Print a fresh session secret",
		Long: `Prints a secret for session.secret: 48 random bytes. Keep it like a password;
whoever has it can make session cookies.

  export GATEHOUSE_SESSION_SECRET=$(gatehouse keygen)

To rotate without signing anybody out, put the new secret first: in secret_file
as the first line, or as session.secret with the old one in previous_secrets.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if assertion {
				return p.printAssertionKey()
			}
			_, err := fmt.Fprintln(p.stdout, newSecret())
			return err
		},
	}
	cmd.Flags().BoolVar(&assertion, "assertion", false, "print an EC P-256 private key (PKCS#8 PEM) for assertion.key_file instead")
	return cmd
}

// newSecret returns a fresh session secret.
func newSecret() string {
	b := make([]byte, sessionSecretLen)
	rand.Read(b) // never fails (crypto/rand, Go 1.24)
	return base64.RawURLEncoding.EncodeToString(b)
}

func (p *program) printAssertionKey() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return failed{err}
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return failed{err}
	}
	return pem.Encode(p.stdout, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
