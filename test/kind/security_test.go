//go:build kind

package kind

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// workload is something of ours that makes pods, as it is written: before istiod adds a sidecar.
type workload struct {
	kind, namespace, name string
	template              corev1.PodTemplateSpec
}

func (w workload) String() string { return w.kind + " " + w.namespace + "/" + w.name }

// workloads are all in the namespaces of the platform.
func (s *shop) workloads(t *testing.T) (all []workload) {
	t.Helper()
	for _, namespace := range []string{s.namespace, "data", "observability", "istio-ingress"} {
		deployments, err := s.kube.AppsV1().Deployments(namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range deployments.Items {
			all = append(all, workload{"Deployment", namespace, o.Name, o.Spec.Template})
		}
		sets, err := s.kube.AppsV1().StatefulSets(namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range sets.Items {
			for _, claim := range o.Spec.VolumeClaimTemplates { // a volume by the time the pod is made
				o.Spec.Template.Spec.Volumes = append(o.Spec.Template.Spec.Volumes, corev1.Volume{
					Name: claim.Name, VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name}},
				})
			}
			all = append(all, workload{"StatefulSet", namespace, o.Name, o.Spec.Template})
		}
		jobs, err := s.kube.BatchV1().Jobs(namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range jobs.Items {
			all = append(all, workload{"Job", namespace, o.Name, o.Spec.Template})
		}
	}
	return all
}

// usesKubernetes are the workloads that ask Kubernetes' API for something.
var usesKubernetes = []string{"Deployment observability/prometheus"} // which pods there are

func TestWorkloadsPassTheRestrictedLevel(t *testing.T) {
	s := theShop(t)
	const strict = "kind-restricted"
	namespaces := s.kube.CoreV1().Namespaces()
	made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: strict, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}}
	if _, err := namespaces.Create(t.Context(), made, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := namespaces.Delete(context.WithoutCancel(t.Context()), strict, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	eventually(t, 30*time.Second, func() error {
		_, err := s.kube.CoreV1().ServiceAccounts(strict).Get(t.Context(), "default", metav1.GetOptions{})
		return err
	})
	try := func(spec corev1.PodSpec, name string) error {
		spec.ServiceAccountName, spec.DeprecatedServiceAccount = "default", ""
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: strict}, Spec: spec}
		_, err := s.kube.CoreV1().Pods(strict).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
	yes := true
	loose := corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "a", SecurityContext: &corev1.SecurityContext{Privileged: &yes}}}}
	if err := try(loose, "loose"); !apierrors.IsForbidden(err) {
		t.Fatalf("the level refuses nothing: %v", err)
	}
	rows := [][]any{{"WORKLOAD", "RESTRICTED", "TOKEN OF KUBERNETES"}}
	for _, w := range s.workloads(t) {
		passes, token := "passes", "none"
		spec := *w.template.Spec.DeepCopy()
		for i := range spec.Containers {
			if spec.Containers[i].Image == "auto" { // istiod puts it there
				spec.Containers[i].Image = "proxyv2"
			}
		}
		if err := try(spec, w.name); err != nil {
			passes = "refused"
			t.Errorf("%s: %v", w, err)
		}
		if s.mountsToken(t, w) {
			token = "mounted"
			if slices.Contains(usesKubernetes, w.String()) {
				token = "mounted, and used"
			} else {
				t.Errorf("%s mounts a token of Kubernetes that it does not use", w)
			}
		}
		rows = append(rows, []any{w, passes, token})
	}
	table(t, "Workloads, by a dry run in a namespace that enforces the restricted level", rows...)
}

// mountsToken reports whether a container of ours in the pods of a workload, as they run, can read a token for Kubernetes' API.
// That of the sidecar is for istiod only.
func (s *shop) mountsToken(t *testing.T, w workload) bool {
	t.Helper()
	pods, err := s.kube.CoreV1().Pods(w.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: w.template.Labels})})
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range pods.Items {
		tokens := map[string]bool{}
		for _, v := range pod.Spec.Volumes {
			if v.Projected == nil {
				continue
			}
			for _, source := range v.Projected.Sources {
				if source.ServiceAccountToken != nil && source.ServiceAccountToken.Audience == "" {
					tokens[v.Name] = true
				}
			}
		}
		for _, c := range slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers) {
			if slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return tokens[m.Name] }) {
				return true
			}
		}
	}
	return false
}

func TestNoSecretIsWhereItCanBeRead(t *testing.T) {
	s := theShop(t)
	secrets := s.secretValues(t)
	if len(secrets) < 5 {
		t.Fatalf("only %d secret values: the search would prove nothing", len(secrets))
	}
	looked := map[string]int{}
	look := func(what, where string, content any) {
		t.Helper()
		raw, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		looked[what]++
		for value, name := range secrets {
			if strings.Contains(string(raw), value) {
				t.Errorf("%s %s has what the Secret %s holds", what, where, name)
			}
		}
	}
	images := map[string]bool{}
	for _, namespace := range []string{s.namespace, "data", "observability", "istio-ingress", "istio-system", "kube-system"} {
		maps, err := s.kube.CoreV1().ConfigMaps(namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range maps.Items {
			look("ConfigMap", namespace+"/"+m.Name, m)
		}
		pods, err := s.kube.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, pod := range pods.Items {
			look("pod", namespace+"/"+pod.Name, pod) // all of it: arguments, environment, annotations
			if namespace == s.namespace {
				images[pod.Spec.Containers[0].Image] = true
			}
		}
	}
	for image := range images {
		out, err := exec.CommandContext(t.Context(), "docker", "image", "inspect", image).Output()
		if err != nil {
			t.Errorf("look at the image %s: %v", image, err)
			continue
		}
		look("image", image, string(out))
	}
	rows := [][]any{{"LOOKED AT", "OF THEM"}}
	for _, what := range sorted(looked) {
		rows = append(rows, []any{what, looked[what]})
	}
	table(t, fmt.Sprintf("%d secret values and their forms, and where none of them is", len(secrets)), rows...)
}

// secretValues are what must be nowhere else: each value of a Secret of the platform, the password in it when it is an address, and
// both in base64.
func (s *shop) secretValues(t *testing.T) map[string]string {
	t.Helper()
	values := map[string]string{}
	for _, namespace := range []string{s.namespace, "data", "observability", "istio-ingress"} {
		list, err := s.kube.CoreV1().Secrets(namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range list.Items {
			for key, raw := range secret.Data {
				name := namespace + "/" + secret.Name + " " + key
				forms := []string{strings.TrimSpace(string(raw))}
				if u, err := url.Parse(string(raw)); err == nil && u.User != nil {
					if password, ok := u.User.Password(); ok {
						forms = append(forms, password)
					}
				}
				for _, form := range forms {
					const shortest = 8 // anything else is found everywhere
					if len(form) >= shortest && !strings.Contains(form, "BEGIN CERTIFICATE") {
						values[form], values[base64.StdEncoding.EncodeToString([]byte(form))] = name, name
					}
				}
			}
		}
	}
	return values
}
