package manifest

import (
	"maps"
	"path"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sync-sidecar/runner"
)

// Names of the volumes.
const (
	volumeShared  = "shared"  // pipes, the binary, the exit status
	volumeConfig  = "config"  // the connector's own copy of its files: memory, since it holds secrets
	volumeGiven   = "given"   // what the Secret and the ConfigMap hold for the connector
	volumeSecrets = "secrets" // what the Secret holds for the sidecar
	volumeSpool   = "spool"
	volumeData    = "data" // LOCAL_DIR
)

// readable is the mode of what comes out of a Secret: for its owner, who is root, and the Pod's group.
const readable = int32(0o440)

// volumes are those of the Pod.
func (b *builder) volumes() []corev1.Volume {
	volumes := []corev1.Volume{
		emptyDir(volumeShared, corev1.StorageMediumDefault, nil),
		emptyDir(volumeConfig, corev1.StorageMediumMemory, &b.options.Storage.ConfigSize),
	}
	if sources := b.givenSources(); len(sources) > 0 {
		volumes = append(volumes, corev1.Volume{Name: volumeGiven, VolumeSource: corev1.VolumeSource{
			Projected: &corev1.ProjectedVolumeSource{Sources: sources, DefaultMode: ptr(readable)},
		}})
	}
	if items := b.secretItems(); len(items) > 0 {
		volumes = append(volumes, corev1.Volume{Name: volumeSecrets, VolumeSource: corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{SecretName: b.secretName(), Items: items, DefaultMode: ptr(readable)},
		}})
	}
	return append(volumes, b.spool(), b.data())
}

func emptyDir(name string, medium corev1.StorageMedium, limit *resource.Quantity) corev1.Volume {
	source := &corev1.EmptyDirVolumeSource{Medium: medium}
	if limit != nil && !limit.IsZero() {
		source.SizeLimit = limit
	}
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: source}}
}

func claim(name, claimed string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claimed},
	}}
}

// givenSources are what init copies for the connector.
func (b *builder) givenSources() []corev1.VolumeProjection {
	var sources []corev1.VolumeProjection
	if items := b.documentItems(); len(items) > 0 {
		sources = append(sources, corev1.VolumeProjection{Secret: &corev1.SecretProjection{
			LocalObjectReference: corev1.LocalObjectReference{Name: b.secretName()}, Items: items,
		}})
	}
	if b.task.Catalog != nil && !b.options.OneSecret {
		key := newDocument(runner.CatalogFile, b.task.Catalog).key
		sources = append(sources, corev1.VolumeProjection{ConfigMap: &corev1.ConfigMapProjection{
			LocalObjectReference: corev1.LocalObjectReference{Name: b.options.name(b.task)}, Items: []corev1.KeyToPath{{Key: key, Path: key}},
		}})
	}
	return sources
}

// documentItems are the keys of the Secret that the connector gets as files.
func (b *builder) documentItems() []corev1.KeyToPath {
	var items []corev1.KeyToPath
	for _, document := range b.secretDocuments() {
		items = append(items, corev1.KeyToPath{Key: document.key, Path: document.key})
	}
	if b.options.Secret != "" {
		items = append(items, corev1.KeyToPath{Key: runner.ConfigFile, Path: runner.ConfigFile})
	}
	return items
}

// secretItems are the keys of the Secret that the sidecar reads as files.
func (b *builder) secretItems() []corev1.KeyToPath {
	var items []corev1.KeyToPath
	for _, file := range b.secretFiles() {
		items = append(items, corev1.KeyToPath{Key: path.Base(file.Path), Path: path.Base(file.Path)})
	}
	return items
}

// spool is where rows wait.
func (b *builder) spool() corev1.Volume {
	storage := b.options.Storage
	switch {
	case storage.SpoolClaim != "":
		return claim(volumeSpool, storage.SpoolClaim)
	case storage.SpoolClass != "":
		return corev1.Volume{Name: volumeSpool, VolumeSource: corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{
			VolumeClaimTemplate: &corev1.PersistentVolumeClaimTemplate{
				ObjectMeta: metav1.ObjectMeta{Labels: b.options.labels(b.task)},
				Spec: corev1.PersistentVolumeClaimSpec{
					AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: &storage.SpoolClass,
					Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: storage.SpoolSize}},
				},
			},
		}}}
	}
	return emptyDir(volumeSpool, corev1.StorageMediumDefault, &storage.SpoolSize)
}

// data is LOCAL_DIR.
func (b *builder) data() corev1.Volume {
	if b.options.Storage.DataClaim != "" {
		return claim(volumeData, b.options.Storage.DataClaim)
	}
	return emptyDir(volumeData, corev1.StorageMediumDefault, nil)
}

// ownMounts are those of the containers of our own image.
func (b *builder) ownMounts() []corev1.VolumeMount {
	layout := b.plan.Layout
	mounts := []corev1.VolumeMount{
		{Name: volumeShared, MountPath: layout.Shared},
		{Name: volumeConfig, MountPath: layout.ConfigDir()},
		{Name: volumeSpool, MountPath: layout.SpoolDir()},
		{Name: volumeData, MountPath: layout.LocalDir},
	}
	if len(b.secretItems()) > 0 {
		mounts = append(mounts, corev1.VolumeMount{Name: volumeSecrets, MountPath: path.Join(layout.Private, "secrets"), ReadOnly: true})
	}
	return mounts
}

// inPod is the task with settings that make sense in a Pod. SPOOL_DIR is its volume, and SPOOL_LIMIT fits that unless one is set: a full spool makes
// the sidecar say so, where a full emptyDir makes the kubelet evict the Pod.
func (o Options) inPod(task runner.Task) runner.Task {
	settings := map[string]string{}
	maps.Copy(settings, task.Settings)
	delete(settings, "SPOOL_DIR")
	if o.Shards > 1 {
		settings["SHARDS"] = strconv.Itoa(o.Shards)
	}
	size := o.Storage.SpoolSize.Value()
	if size > 0 && o.Storage.SpoolClaim == "" && settings["SPOOL_LIMIT"] == "" {
		settings["SPOOL_LIMIT"] = strconv.FormatInt(size/10*9, 10)
	}
	task.Settings = settings
	return task
}
