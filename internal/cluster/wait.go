package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
)

// waitReady waits until the workloads among the objects run as they were last applied. When one cannot, or ctx ends, the error
// shows why: the states, events and last lines of its pods.
func (c *client) waitReady(ctx context.Context, objects []*unstructured.Unstructured, say sayer) error {
	var waiting []*unstructured.Unstructured
	for _, o := range objects {
		if slices.Contains(lastKinds, o.GetKind()) {
			waiting = append(waiting, o)
		}
	}
	since := map[string]time.Time{} // when a pod was first seen in a state that seldom mends itself
	return until(ctx, time.Second, func(ctx context.Context) error {
		var left []string
		for _, o := range waiting {
			what, err := c.unready(ctx, o)
			if err != nil {
				return err
			}
			if what == "" {
				continue
			}
			left = append(left, o.GetName())
			if stuck := c.stuck(ctx, o, since); stuck != nil {
				return &finalError{fmt.Errorf("%s: %w", title(o), stuck)}
			}
		}
		if len(left) == 0 {
			return nil
		}
		say("wait for %s", strings.Join(left, ", "))
		var evidence strings.Builder
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < 3*time.Second { // the last chance to look
			for _, o := range waiting {
				if what, err := c.unready(ctx, o); err == nil && what != "" {
					fmt.Fprintf(&evidence, "\n%s: %s%s", title(o), what, c.evidence(ctx, o))
				}
			}
			return &finalError{fmt.Errorf("these did not become ready in time: %s%s", strings.Join(left, ", "), evidence.String())}
		}
		return fmt.Errorf("these are not ready: %s", strings.Join(left, ", "))
	})
}

// unready says what a workload lacks to be as it was last applied; empty when it lacks nothing.
func (c *client) unready(ctx context.Context, applied *unstructured.Unstructured) (string, error) {
	resource, err := c.resource(applied)
	if err != nil {
		return "", err
	}
	o, err := resource.Get(ctx, applied.GetName(), metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	number := func(fields ...string) int64 {
		n, _, _ := unstructured.NestedInt64(o.Object, fields...)
		return n
	}
	if number("status", "observedGeneration") < o.GetGeneration() && o.GetKind() != "Job" {
		return "its change was not seen yet", nil
	}
	wanted, found, _ := unstructured.NestedInt64(o.Object, "spec", "replicas")
	if !found {
		wanted = 1
	}
	ready, updated, total := number("status", "readyReplicas"), number("status", "updatedReplicas"), number("status", "replicas")
	switch o.GetKind() {
	case "Job":
		if condition(o, "Complete") == "True" {
			return "", nil
		}
		if status, message := conditionOf(o, "Failed"); status == "True" {
			return "it failed: " + message, nil
		}
		return "it has not ended", nil
	case "DaemonSet":
		wanted = number("status", "desiredNumberScheduled")
		ready, updated = number("status", "numberReady"), number("status", "updatedNumberScheduled")
		total = wanted
	case "StatefulSet":
		total = wanted // its pods are replaced, never doubled
	}
	if ready < wanted || updated < wanted || total > wanted {
		return fmt.Sprintf("%d of %d pods are ready, %d are of the latest version, %d are of an older one", ready, wanted, updated, max(0, total-updated)), nil
	}
	return "", nil
}

// podsOf are the pods of a workload.
func (c *client) podsOf(ctx context.Context, o *unstructured.Unstructured) ([]unstructured.Unstructured, error) {
	selector, _, _ := unstructured.NestedStringMap(o.Object, "spec", "selector", "matchLabels")
	if o.GetKind() == "Job" {
		selector = map[string]string{"job-name": o.GetName()}
	}
	if len(selector) == 0 {
		return nil, nil
	}
	list, err := c.dynamic.Resource(pods).Namespace(o.GetNamespace()).List(ctx, metav1.ListOptions{LabelSelector: labels.SelectorFromSet(selector).String()})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// containerState is what the node tells of a container of a pod.
type containerState struct {
	name, image     string
	reason, message string // of waiting, or of the last end
	restarts        int64
	ready           bool
}

func containerStates(pod *unstructured.Unstructured) []containerState {
	var states []containerState
	for _, list := range []string{"initContainerStatuses", "containerStatuses"} {
		found, _, _ := unstructured.NestedSlice(pod.Object, "status", list)
		for _, item := range found {
			status, ok := item.(map[string]any)
			if !ok {
				continue
			}
			s := containerState{}
			s.name, _ = status["name"].(string)
			s.image, _ = status["image"].(string)
			s.ready, _ = status["ready"].(bool)
			s.restarts, _ = status["restartCount"].(int64)
			for _, at := range [][]string{{"state", "waiting"}, {"state", "terminated"}, {"lastState", "terminated"}} {
				state, found, _ := unstructured.NestedMap(status, at...)
				if !found {
					continue
				}
				if s.reason == "" {
					s.reason, _ = state["reason"].(string)
				}
				if s.message == "" {
					s.message, _ = state["message"].(string)
				}
			}
			states = append(states, s)
		}
	}
	return states
}

// patience with a state that may still mend itself: a registry that hiccups, a program whose store is not there yet.
const (
	pullPatience  = 30 * time.Second
	crashPatience = 90 * time.Second
)

// stuck says why a workload will not become ready by waiting longer, or nil.
func (c *client) stuck(ctx context.Context, o *unstructured.Unstructured, since map[string]time.Time) error {
	found, err := c.podsOf(ctx, o)
	if err != nil {
		return nil //nolint:nilerr // whoever waits asks again
	}
	if o.GetKind() == "Job" {
		if live, err := c.unready(ctx, o); err == nil && strings.HasPrefix(live, "it failed") {
			return fmt.Errorf("%s%s", live, c.evidence(ctx, o))
		}
	}
	for _, pod := range found {
		for _, s := range containerStates(&pod) {
			patience := time.Duration(0)
			switch s.reason {
			case "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName":
				patience = pullPatience
			case "CrashLoopBackOff", "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
				patience = crashPatience
			}
			key := string(pod.GetUID()) + s.name
			if patience == 0 {
				continue
			}
			if since[key].IsZero() {
				since[key] = time.Now()
			}
			if time.Since(since[key]) < patience {
				continue
			}
			if patience == pullPatience {
				return fmt.Errorf("the node cannot pull the image %s: %s\nWhere there is no way to its registry, set images.mirror or "+
					"images.references in platform.yaml; or put the image into this machine's Docker, from where it is copied into the node", s.image, s.message)
			}
			return fmt.Errorf("the container %s of the pod %s does not start (%s)%s", s.name, pod.GetName(), s.reason, c.evidence(ctx, o))
		}
	}
	return nil
}

// evidence is what a person would look at: the pods that are not ready, why, what was said of them, and their last lines.
func (c *client) evidence(ctx context.Context, o *unstructured.Unstructured) string {
	var out strings.Builder
	found, err := c.podsOf(ctx, o)
	if err != nil {
		return ""
	}
	out.WriteString(c.eventsOf(ctx, o.GetNamespace(), o.GetName()))
	for _, pod := range found {
		if condition(&pod, "Ready") == "True" {
			continue
		}
		phase, _, _ := unstructured.NestedString(pod.Object, "status", "phase")
		fmt.Fprintf(&out, "\npod %s: %s", pod.GetName(), phase)
		if status, message := conditionOf(&pod, "PodScheduled"); status == "False" {
			fmt.Fprintf(&out, "\n  not scheduled: %s", message)
		}
		out.WriteString(c.eventsOf(ctx, pod.GetNamespace(), pod.GetName()))
		for _, s := range containerStates(&pod) {
			if s.ready {
				continue
			}
			fmt.Fprintf(&out, "\n  container %s: %s %s, %d restarts", s.name, s.reason, s.message, s.restarts)
			const lines = 10
			text, err := c.logs(ctx, pod.GetNamespace(), pod.GetName(), s.name, lines, s.restarts > 0)
			if err == nil && strings.TrimSpace(text) != "" {
				out.WriteString("\n" + indent(indent(text)))
			}
		}
	}
	return out.String()
}

// eventsOf are the last warnings about an object, each once.
func (c *client) eventsOf(ctx context.Context, namespace, name string) string {
	list, err := c.dynamic.Resource(events).Namespace(namespace).List(ctx, metav1.ListOptions{FieldSelector: "type=Warning,involvedObject.name=" + name})
	if err != nil {
		return ""
	}
	messages := map[string]bool{}
	for _, e := range list.Items {
		reason, _, _ := unstructured.NestedString(e.Object, "reason")
		message, _, _ := unstructured.NestedString(e.Object, "message")
		messages[reason+": "+message] = true
	}
	sorted := slices.Sorted(maps.Keys(messages))
	const most = 5
	if len(sorted) > most {
		sorted = sorted[:most]
	}
	var out strings.Builder
	for _, m := range sorted {
		out.WriteString("\n  " + m)
	}
	return out.String()
}

// gone reports whether an error says that an object is not there.
func gone(err error) bool { return apierrors.IsNotFound(err) }

var errNoPod = errors.New("it has no pod that runs")

// podOf is a ready pod with a label.
func (c *client) podOf(ctx context.Context, namespace, selector string) (string, error) {
	list, err := c.dynamic.Resource(pods).Namespace(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return "", err
	}
	for _, pod := range list.Items {
		if pod.GetDeletionTimestamp() == nil && condition(&pod, "Ready") == "True" {
			return pod.GetName(), nil
		}
	}
	return "", fmt.Errorf("%s in %s: %w", selector, namespace, errNoPod)
}
