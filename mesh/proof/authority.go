package proof

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"time"
)

// authority signs certificates: for identities of the mesh, and for names of hosts.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	root []byte // PEM
}

func newAuthority(name string) (*authority, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{Organization: []string{name}},
		NotBefore:    time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign the root %s: %w", name, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the root %s: %w", name, err)
	}
	return &authority{cert, key, pemBlock("CERTIFICATE", der)}, nil
}

// pool trusts what the authority signs.
func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// pair is a certificate and its key, in PEM.
type pair struct{ cert, key []byte }

// identity signs for a SPIFFE ID, of a client and of a server.
func (a *authority) identity(id string) (pair, error) {
	uri, err := url.Parse(id)
	if err != nil {
		return pair{}, fmt.Errorf("identity: %w", err)
	}
	return a.sign(&x509.Certificate{URIs: []*url.URL{uri}})
}

// host signs for names of a server.
func (a *authority) host(names ...string) (pair, error) {
	return a.sign(&x509.Certificate{DNSNames: names})
}

func (a *authority) sign(subject *x509.Certificate) (pair, error) {
	key, err := newKey()
	if err != nil {
		return pair{}, err
	}
	if subject.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return pair{}, fmt.Errorf("choose a serial number: %w", err)
	}
	subject.NotBefore, subject.NotAfter = time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
	subject.KeyUsage = x509.KeyUsageDigitalSignature
	subject.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, subject, a.cert, key.Public(), a.key)
	if err != nil {
		return pair{}, fmt.Errorf("sign a certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return pair{}, fmt.Errorf("write a key: %w", err)
	}
	return pair{pemBlock("CERTIFICATE", der), pemBlock("PRIVATE KEY", keyDER)}, nil
}

// certificate is the pair as Go's TLS takes it.
func (p pair) certificate() (tls.Certificate, error) {
	c, err := tls.X509KeyPair(p.cert, p.key)
	if err != nil {
		return c, fmt.Errorf("read a certificate: %w", err)
	}
	return c, nil
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return key, nil
}

func pemBlock(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
