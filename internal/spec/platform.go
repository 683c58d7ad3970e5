package spec

import (
	"fmt"
	"maps"
)

// PlatformFile marks a platform's root.
const PlatformFile = "platform.yaml"

// pinned are the versions that this release of the scaffolder was proven with.
var pinned = map[string]string{
	"kubernetes":   "1.34.11",
	"istio":        "1.31.1",
	"prometheus":   "3.16.0",
	"alertmanager": "0.34.2",
	"grafana":      "12.2.0",
	"jaeger":       "2.13.0",
	"loki":         "3.7.8",
	"kafka":        "4.1.0",
	"postgres":     "17.6",
	"redis":        "8.2.1",
}

// ParsePlatform reads the text of platform.yaml, named file in its problems, and fills in the defaults. The error is of
// type Problems.
func ParsePlatform(file string, raw []byte) (*Platform, error) {
	p, problems := parsePlatform(file, raw)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

func parsePlatform(file string, raw []byte) (*Platform, Problems) {
	root, problems := parseDocument(file, raw, maxDeclaration, "one line is enough:\nname: the platform's name")
	if len(problems) > 0 {
		return nil, problems
	}
	p := &Platform{}
	if _, problems = decode(file, root, p); len(problems) > 0 {
		return nil, problems
	}
	if p.Namespace == "" {
		p.Namespace = p.Name
	}
	if len(p.Gateway.Hosts) == 0 {
		p.Gateway.Hosts = []string{p.Name + ".localhost"}
	}
	if p.Auth.Issuer == "" {
		p.Auth.Issuer = "https://" + p.Gateway.Hosts[0]
	}
	if p.Auth.Audience == "" {
		p.Auth.Audience = p.Name
	}
	versions := maps.Clone(pinned)
	maps.Copy(versions, p.Versions)
	p.Versions = versions
	return p, nil
}

// nodeDigests are those of the nodes that the pinned release of kind published: an image of the same tag may be of another release.
var nodeDigests = map[string]string{
	"1.37.0":  "sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5",
	"1.36.4":  "sha256:099e049362a1526b2db71494e1947aae99bd16290d7c895f2b7ea312e3cbfaed",
	"1.35.8":  "sha256:07b2536e30b803ed61d1677a79df6115f798ce64c80f9e22f6ed45afd09323c0",
	"1.34.11": "sha256:44e222ee2132dab25ff87301682f89eb82c7880ea3a1bf543bfe9708fd08d67d",
}

// images are the public places of the images, without what pins them: the part of versions that does, and what comes before it.
var images = map[string]struct{ name, version, prefix string }{
	"node":         {"docker.io/kindest/node", "kubernetes", "v"},
	"base":         {"gcr.io/distroless/static-debian12:nonroot", "", ""},
	"istio":        {"docker.io/istio", "", ""},
	"prometheus":   {"docker.io/prom/prometheus", "prometheus", "v"},
	"alertmanager": {"docker.io/prom/alertmanager", "alertmanager", "v"},
	"grafana":      {"docker.io/grafana/grafana", "grafana", ""},
	"jaeger":       {"docker.io/jaegertracing/jaeger", "jaeger", ""},
	"loki":         {"docker.io/grafana/loki", "loki", ""},
	"kafka":        {"docker.io/apache/kafka", "kafka", ""},
	"postgres":     {"docker.io/library/postgres", "postgres", ""},
	"redis":        {"docker.io/library/redis", "redis", ""},
}

// Image gives the reference of an image that runs beside the services: one of the keys of images.references. For istio it is
// the registry and folder that Istio's images are in.
func (p *Platform) Image(part string) (string, error) {
	image, known := images[part]
	if !known {
		return "", fmt.Errorf("no image is called %s", part)
	}
	if own := p.Images.References[part]; own != "" {
		return own, nil
	}
	reference := image.name
	if image.version != "" {
		reference += ":" + image.prefix + p.Versions[image.version]
	}
	if digest := nodeDigests[p.Versions[image.version]]; part == "node" && digest != "" {
		reference += "@" + digest
	}
	if p.Images.Mirror != "" {
		reference = p.Images.Mirror + "/" + reference
	}
	return reference, nil
}
