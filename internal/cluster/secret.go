package cluster

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// secretValues gives what a secret is made of, when it is made.
type secretValues func() (map[string][]byte, error)

// keepSecret makes a secret unless it is there, and gives what it holds. What a secret holds is made once, on this machine, and
// is in no file: a store that was made with a password keeps it.
func (c *client) keepSecret(ctx context.Context, namespace, name, kind string, values secretValues) (map[string][]byte, error) {
	resource := c.dynamic.Resource(secrets).Namespace(namespace)
	o, err := resource.Get(ctx, name, metav1.GetOptions{})
	if gone(err) {
		made, err := values()
		if err != nil {
			return nil, fmt.Errorf("make the secret %s/%s: %w", namespace, name, err)
		}
		data := map[string]any{}
		for key, value := range made {
			data[key] = base64.StdEncoding.EncodeToString(value)
		}
		o = &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Secret", "type": kind, "data": data,
			"metadata": map[string]any{"name": name, "namespace": namespace, "labels": map[string]any{"app.kubernetes.io/managed-by": fieldManager}},
		}}
		if _, err := resource.Create(ctx, o, metav1.CreateOptions{FieldManager: fieldManager}); err != nil {
			return nil, fmt.Errorf("make the secret %s/%s: %w", namespace, name, err)
		}
		return made, nil
	}
	if err != nil {
		return nil, err
	}
	return secretData(o)
}

// secretData is what a secret holds.
func secretData(o *unstructured.Unstructured) (map[string][]byte, error) {
	data, _, _ := unstructured.NestedStringMap(o.Object, "data")
	held := map[string][]byte{}
	for key, value := range data {
		raw, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return nil, fmt.Errorf("read the secret %s/%s: %w", o.GetNamespace(), o.GetName(), err)
		}
		held[key] = raw
	}
	return held, nil
}

// addToSecret puts values into a secret that lacks them, and leaves the others as they are.
func (c *client) addToSecret(ctx context.Context, namespace, name string, values map[string][]byte) error {
	data := map[string]string{}
	for key, value := range values {
		data[key] = base64.StdEncoding.EncodeToString(value)
	}
	patch, err := json.Marshal(map[string]any{"data": data})
	if err != nil {
		return err
	}
	_, err = c.dynamic.Resource(secrets).Namespace(namespace).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager})
	if err != nil {
		return fmt.Errorf("add to the secret %s/%s: %w", namespace, name, err)
	}
	return nil
}

const opaque = "Opaque"

// password is one that nobody has to type.
func password() string {
	var raw [24]byte
	_, _ = rand.Read(raw[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// signingSecret is 32 random bytes as services read them.
func signingSecret() string {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails
	return base64.StdEncoding.EncodeToString(raw[:])
}

func onePassword() (map[string][]byte, error) {
	return map[string][]byte{"password": []byte(password())}, nil
}

// makeGatewayCertificate gives the gateway a certificate for its hosts, signed by itself: on a laptop nobody else would.
func (p *Platform) makeGatewayCertificate(ctx context.Context) error {
	_, err := p.client.keepSecret(ctx, gatewayNamespace, "gateway-tls", "kubernetes.io/tls", func() (map[string][]byte, error) {
		return selfSigned(p.Model.Platform.Gateway.Hosts, time.Now())
	})
	return err
}

func selfSigned(hosts []string, now time.Time) (map[string][]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: hosts[0]}, DNSNames: hosts,
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"tls.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		"tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	}, nil
}
