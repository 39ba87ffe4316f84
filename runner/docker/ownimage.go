package docker

import (
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"

	"sync-sidecar/runner"
)

// ensureSidecar makes sure that the Engine has the sidecar's image. One that was named has to exist or be pulled; the default one is made from the
// running binary when it is missing, and again when it was made from another binary. An image that somebody built under that name is used as it is.
func (r *Runner) ensureSidecar(ctx context.Context, note func(runner.Event)) (string, error) {
	if r.options.SidecarImage != "" {
		_, err := r.ensureImage(ctx, r.options.SidecarImage, r.options.Pull, note)
		return r.options.SidecarImage, err
	}
	name := "sync-sidecar:" + tagOf(r.options.Version)
	digest, err := fileDigest(r.options.Binary)
	if err != nil {
		return "", fmt.Errorf("read the running binary: %w", err)
	}
	found, err := r.engine.ImageInspect(ctx, name)
	if err != nil && !errdefs.IsNotFound(err) {
		return "", fmt.Errorf("look for image %s: %w", name, err)
	}
	if err == nil {
		made := ""
		if found.Config != nil {
			made = found.Config.Labels[labelBinary]
		}
		if made == "" || made == digest {
			return name, nil
		}
	}
	note(runner.Note("INFO", fmt.Sprintf("making image %s from %s", name, r.options.Binary)))
	if err := r.makeImage(ctx, name, digest); err != nil {
		return "", fmt.Errorf("make image %s from the running binary: %w", name, err)
	}
	if err := r.removeFormer(ctx); err != nil {
		note(runner.Note("WARN", err.Error()))
	}
	return name, nil
}

// tagOf makes a version the tag of an image: Go's own versions carry a + ("v1.2.3+dirty"), which no tag may, and a tag has at most 128 characters
// (https://github.com/distribution/reference, reference.go).
func tagOf(version string) string {
	const longest = 128
	tag := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '.' || r == '-' {
			return r
		}
		return '-'
	}, version)
	tag = strings.TrimLeft(tag, ".-")
	return tag[:min(len(tag), longest)]
}

// removeFormer removes images that were made here and have lost their name to a newer one. One that a container still uses stays, until next time.
func (r *Runner) removeFormer(ctx context.Context) error {
	nameless := filters.NewArgs(filters.Arg("dangling", "true"), filters.Arg("label", labelBinary))
	found, err := r.engine.ImageList(ctx, image.ListOptions{Filters: nameless})
	if err != nil {
		return fmt.Errorf("look for former images of the sidecar: %w", err)
	}
	for _, former := range found {
		_, err := r.engine.ImageRemove(ctx, former.ID, image.RemoveOptions{})
		if err != nil && !errdefs.IsConflict(err) && !errdefs.IsNotFound(err) && !isUnknownImage(err) {
			return fmt.Errorf("remove the former image %s: %w", former.ID, err)
		}
	}
	return nil
}

// isUnknownImage recognizes what the Engine says of an image that another run has removed meanwhile; it has no code of its own for it.
func isUnknownImage(err error) bool { return strings.Contains(err.Error(), "unrecognized image ID") }

func fileDigest(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// elfMachines are the processors of an Engine's machine that are told apart, by the names that images use.
var elfMachines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// fits says whether the binary can run in an image without anything else, on the Engine's kernel.
func fits(binary, architecture string) error {
	next := "name an image that has it with --sidecar-image (the project's `make image` builds one)"
	file, err := elf.Open(binary)
	if err != nil {
		return fmt.Errorf("%s is no Linux program: %w; %s", binary, err, next)
	}
	defer file.Close() //nolint:errcheck // opened for reading
	if machine, known := elfMachines[goArchitecture(architecture)]; known && machine != file.Machine {
		return fmt.Errorf("%s is for %s, the Engine runs %s; %s", binary, file.Machine, architecture, next)
	}
	for _, program := range file.Progs {
		if program.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is not static (build it with CGO_ENABLED=0); %s", binary, next)
		}
	}
	return nil
}

// makeImage imports an image of one layer: the binary, certificates, and folders for the volumes; like the project's Dockerfile, without a builder.
func (r *Runner) makeImage(ctx context.Context, name, digest string) error {
	info, err := r.engine.Info(ctx)
	if err != nil {
		return fmt.Errorf("ask the Engine for its architecture: %w", err)
	}
	if err := fits(r.options.Binary, info.Architecture); err != nil {
		return err
	}
	reader, writer := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		writer.CloseWithError(r.writeImage(writer))
	}()
	progress, err := r.engine.ImageImport(ctx, image.ImportSource{Source: reader, SourceName: "-"}, name, image.ImportOptions{Changes: []string{
		"USER " + fmt.Sprint(ownUser().uid), `ENTRYPOINT ["/sync-sidecar"]`, "WORKDIR /", "LABEL " + labelBinary + "=" + digest,
		"LABEL " + labelVersion + "=" + r.options.Version,
	}})
	if err == nil {
		err = errors.Join(drainProgress(progress, nil), progress.Close())
	}
	// An Engine that refuses does not read to the end: closing frees the writer.
	err = errors.Join(err, reader.Close())
	<-written
	return err
}

// certificateFiles are where systems keep their CA bundle, as crypto/x509 looks for it.
func certificateFiles() []string {
	return []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"}
}

func (r *Runner) writeImage(w io.Writer) error {
	layer := newArchive(w)
	layer.open("/sync-sidecar", 0o755, root(), r.options.Binary)
	for _, file := range append([]string{r.options.CertFile}, certificateFiles()...) {
		if _, err := os.Stat(file); err == nil {
			layer.dir("/etc", 0o755, root())
			layer.dir("/etc/ssl", 0o755, root())
			layer.dir("/etc/ssl/certs", 0o755, root())
			layer.open("/etc/ssl/certs/ca-certificates.crt", 0o644, root(), file)
			break
		}
	}
	for _, folder := range []string{"/pipes", "/config", "/data"} {
		layer.dir(folder, 0o777, ownUser())
	}
	layer.dir("/tmp", 0o777, root())
	return layer.close()
}
