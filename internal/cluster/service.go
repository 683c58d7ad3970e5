package cluster

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// builtServices is what the services' kustomizations make, with what only this cluster has: its images, and its first client.
func (p *Platform) builtServices(images map[string]string) ([]*unstructured.Unstructured, error) {
	objects, err := p.serviceObjects()
	if err != nil {
		return nil, err
	}
	p.withImages(objects, images)
	p.withFirstClient(objects)
	return objects, nil
}

// withImages puts the images that were built into the services' workloads, instead of those that a registry would have.
func (p *Platform) withImages(objects []*unstructured.Unstructured, images map[string]string) {
	built := map[string]string{} // by the name without a tag
	for name, reference := range images {
		built[path.Join(p.Model.Platform.Registry, p.Model.Platform.Name, name)] = reference
	}
	for _, o := range objects {
		containers(o, func(c map[string]any) {
			image, _ := c["image"].(string)
			name := image
			if colon := strings.LastIndexByte(image, ':'); colon > strings.LastIndexByte(image, '/') {
				name = image[:colon]
			}
			if reference, ours := built[name]; ours {
				c["image"] = reference
			}
		})
	}
}

// migrate runs the services' migration jobs and waits for them, so that the pods that come after find their tables.
func (p *Platform) migrate(ctx context.Context, say sayer, images map[string]string) (string, error) {
	objects, err := p.builtServices(images)
	if err != nil {
		return "", err
	}
	var jobs, needed []*unstructured.Unstructured
	for _, o := range objects {
		switch o.GetKind() {
		case "Job":
			jobs = append(jobs, o)
		case "Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget":
		default: // identities and rules, without which a job has no way to its database
			needed = append(needed, o)
		}
	}
	if len(jobs) == 0 {
		return "nothing to migrate", nil
	}
	if err := p.client.applyAll(ctx, needed, say); err != nil {
		return "", err
	}
	ran := 0
	for _, job := range jobs {
		fresh, err := p.client.freshJob(ctx, job)
		if err != nil {
			return "", err
		}
		if fresh {
			ran++
		}
	}
	if err := p.client.waitReady(ctx, jobs, say); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d of %d jobs had to run", ran, len(jobs)), nil
}

// freshJob makes a job, unless it was made for the same image before. A job that was made for another one is removed first: jobs
// can't be changed.
func (c *client) freshJob(ctx context.Context, job *unstructured.Unstructured) (bool, error) {
	resource, err := c.resource(job)
	if err != nil {
		return false, err
	}
	there, err := resource.Get(ctx, job.GetName(), metav1.GetOptions{})
	switch {
	case gone(err):
	case err != nil:
		return false, err
	case slices.Equal(imagesOf([]*unstructured.Unstructured{there}), imagesOf([]*unstructured.Unstructured{job})) && condition(there, "Failed") != "True":
		return false, nil
	default:
		background := metav1.DeletePropagationBackground
		if err := resource.Delete(ctx, job.GetName(), metav1.DeleteOptions{PropagationPolicy: &background}); err != nil && !gone(err) {
			return false, fmt.Errorf("remove the last %s: %w", title(job), err)
		}
		err := until(ctx, 200*time.Millisecond, func(ctx context.Context) error {
			_, err := resource.Get(ctx, job.GetName(), metav1.GetOptions{})
			if gone(err) {
				return nil
			}
			return fmt.Errorf("%s is still there: %w", title(job), err)
		})
		if err != nil {
			return false, err
		}
	}
	err = c.apply(ctx, job)
	return true, err
}

// applyServices applies the services and waits until the pods of all are replaced.
func (p *Platform) applyServices(ctx context.Context, say sayer, images map[string]string) (string, error) {
	objects, err := p.builtServices(images)
	if err != nil {
		return "", err
	}
	applied := slices.DeleteFunc(slices.Clone(objects), func(o *unstructured.Unstructured) bool { return o.GetKind() == "Job" })
	if err := p.client.applyAll(ctx, applied, say); err != nil {
		return "", err
	}
	removed, err := p.client.prune(ctx, "services", objects)
	if err != nil {
		return "", err
	}
	if err := p.client.waitReady(ctx, applied, say); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d services, %d objects%s", len(p.Model.Services), len(applied), alsoRemoved(removed)), nil
}

// removeOthers removes what a list of before names and now does not have.
func (c *client) removeOthers(ctx context.Context, before string, now map[string]any) (int, error) {
	removed := 0
	for line := range strings.Lines(before) {
		line = strings.TrimSuffix(line, "\n")
		if _, still := now[line]; still || line == "" {
			continue
		}
		fields := strings.Split(line, " ")
		const parts = 4 // apiVersion, kind, namespace, name
		if len(fields) != parts {
			continue
		}
		if fields[1] == "Namespace" || fields[1] == "PersistentVolumeClaim" {
			continue // what is in it is not ours to remove
		}
		o := &unstructured.Unstructured{}
		o.SetAPIVersion(fields[0])
		o.SetKind(fields[1])
		o.SetNamespace(fields[2])
		o.SetName(fields[3])
		resource, err := c.resource(o)
		if meta.IsNoMatchError(err) {
			continue // its kind is gone, and all of that kind with it
		}
		if err != nil {
			return removed, err
		}
		background := metav1.DeletePropagationBackground
		err = resource.Delete(ctx, o.GetName(), metav1.DeleteOptions{PropagationPolicy: &background})
		switch {
		case gone(err):
		case err != nil:
			return removed, fmt.Errorf("remove %s: %w", title(o), err)
		default:
			removed++
		}
	}
	return removed, nil
}

func joinLines(lines []string) string { return strings.Join(lines, "\n") + "\n" }

// sorted gives the keys of a map in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
