package spec

import "testing"

func TestImages(t *testing.T) {
	for _, test := range []struct{ name, platform, part, want string }{
		{"pinned", "name: shop\n", "postgres", "docker.io/library/postgres:17.6"},
		{"its own version", "name: shop\nversions: {postgres: '16.1'}\n", "postgres", "docker.io/library/postgres:16.1"},
		{"v before the version", "name: shop\nversions: {kubernetes: '1.33.1'}\n", "node", "docker.io/kindest/node:v1.33.1"},
		{"a node that kind published", "name: shop\n", "node", "docker.io/kindest/node:v1.34.11@sha256:44e222ee2132dab25ff87301682f89eb82c7880ea3a1bf543bfe9708fd08d67d"},
		{"a folder of images", "name: shop\n", "istio", "docker.io/istio"},
		{"mirror", "name: shop\nimages: {mirror: 'r.example:5000/m'}\n", "base", "r.example:5000/m/gcr.io/distroless/static-debian12:nonroot"},
		{"own reference, not mirrored", "name: shop\nimages: {mirror: r.example, references: {redis: 'cache/redis:8@sha256:" +
			"0123456789012345678901234567890123456789012345678901234567890123'}}\n", "redis", "cache/redis:8@sha256:0123456789012345678901234567890123456789012345678901234567890123"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := ParsePlatform(PlatformFile, []byte(test.platform))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := p.Image(test.part); got != test.want || err != nil {
				t.Errorf("got %s, %v, want %s", got, err, test.want)
			}
		})
	}
	if _, err := (&Platform{}).Image("nginx"); err == nil {
		t.Error("an unknown image has a reference")
	}
}
