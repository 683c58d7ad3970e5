package proof

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
)

// pod is a pod of the cluster: a network of its own, an application, and a proxy in front of it.
type pod struct {
	name, namespace, account string
	identity                 string // SPIFFE ID; a pod without one is not in the mesh
	labels                   map[string]string
	ports                    map[string]int32 // of its container, by name
	gateway                  bool             // a proxy without an application

	net   *namespace
	app   *backend
	envoy *envoy
	http  *http.Client
}

// meshed reports whether the pod has a proxy.
func (p *pod) meshed() bool { return p.identity != "" }

// replica makes a pod as a Deployment would.
func replica(d *declarations, from *appsv1.Deployment, number int) *pod {
	template := from.Spec.Template
	p := &pod{
		name: fmt.Sprintf("%s-%d", from.Name, number), namespace: from.Namespace, account: template.Spec.ServiceAccountName,
		labels: template.Labels, ports: map[string]int32{},
	}
	p.identity = d.spiffe(p.namespace, p.account)
	for _, c := range template.Spec.Containers {
		for _, port := range c.Ports {
			p.ports[port.Name] = port.ContainerPort
		}
	}
	return p
}

// connect gives the pod its network.
func (p *pod) connect(n *network) (err error) {
	if p.net, err = n.connect(); err != nil {
		return err
	}
	if p.meshed() && !p.gateway {
		if err := p.net.redirect(); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	p.http = p.client(nil)
	return nil
}

// serve starts the application on all ports of the container. With a certificate, it speaks TLS.
func (p *pod) serve(certificate *tls.Config) error {
	var listeners []net.Listener
	for _, port := range p.ports {
		var l net.Listener
		err := p.net.do(func() (err error) {
			l, err = net.Listen("tcp", ":"+strconv.Itoa(int(port)))
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if certificate != nil {
			l = tls.NewListener(l, certificate)
		}
		listeners = append(listeners, l)
	}
	p.app = serveBackend(p.name, p.labels["version"], listeners...)
	return nil
}

// close ends all that runs in the pod.
func (p *pod) close() {
	if p.http != nil {
		p.http.CloseIdleConnections()
	}
	if p.envoy != nil {
		p.envoy.stop()
	}
	if p.app != nil {
		p.app.close()
	}
	if p.net != nil {
		p.net.close()
	}
}

// dial connects from the pod.
func (p *pod) dial(ctx context.Context, to netip.AddrPort) (c net.Conn, err error) {
	err = p.net.do(func() error {
		c, err = (&net.Dialer{}).DialContext(ctx, "tcp", to.String())
		return err
	})
	return c, err
}

// client sends requests from the pod; whatever a request's host is, its connection goes where the context says: see sendTo.
func (p *pod) client(config *tls.Config) *http.Client {
	connect := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return p.dial(ctx, ctx.Value(destination{}).(netip.AddrPort))
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: connect, TLSClientConfig: config, DisableCompression: true,
			MaxIdleConnsPerHost: 64, TLSHandshakeTimeout: 5 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type destination struct{}

// request is one over HTTP.
type request struct {
	method, url string
	to          netip.AddrPort
	header      map[string]string
}

// answer is what came back: an answer of HTTP, or an error of the connection.
type answer struct {
	status       int
	pod, version string
	header       http.Header
	body         string
	err          error
	took         time.Duration
}

// send sends the request with the client of a pod.
func (r request) send(client *http.Client) answer {
	ctx, cancel := context.WithTimeout(context.WithValue(context.Background(), destination{}, r.to), requestTimeout)
	defer cancel()
	begin := time.Now()
	fail := func(err error) answer { return answer{err: err, took: time.Since(begin)} }
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, nil)
	if err != nil {
		return fail(err)
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	response, err := client.Do(req)
	if err != nil {
		return fail(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return fail(err)
	}
	return answer{
		status: response.StatusCode, pod: response.Header.Get(podHeader), version: response.Header.Get(versionHeader),
		header: response.Header, body: string(body), took: time.Since(begin),
	}
}

// requestTimeout is how long a test waits for an answer that does not come.
const requestTimeout = 20 * time.Second

// String is the status, or that there was none.
func (a answer) String() string {
	if a.err != nil {
		return "refused"
	}
	return strconv.Itoa(a.status)
}

// detail is the status, or why there was none.
func (a answer) detail() string {
	if a.err != nil {
		return a.err.Error()
	}
	return a.String()
}
