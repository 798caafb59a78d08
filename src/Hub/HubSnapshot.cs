using System.Text;

namespace ManagedTransformers.Hub;

/// <summary>A snapshot that is being filled: one commit of one model.</summary>
internal sealed class HubSnapshot(HubRequests requests, HubOptions options, HubModelId model, string commit)
{
    private readonly HubErrors _errors = new(options, model);

    public string Folder { get; } = options.Cache.SnapshotOf(model, commit);

    /// <summary>Asks the hub for a file's size and checksum.</summary>
    /// <exception cref="HubException">It refuses, or says no checksum.</exception>
    public async Task<HubRemoteFile> DescribeAsync(string file, CancellationToken cancellationToken)
    {
        using HttpResponseMessage response = await new HubRetry(options).RunAsync(file, async () => _errors.Require(
            await requests.SendAsync(HttpMethod.Head, AddressOf(file), from: 0, leaveHub: false, cancellationToken).ConfigureAwait(false), file),
            gained: () => 0, cancellationToken).ConfigureAwait(false);
        string etag = (HubErrors.Header(response, "X-Linked-Etag") ?? response.Headers.ETag?.Tag ?? "").Trim()
            .Replace("W/", "", StringComparison.Ordinal).Trim('"').ToLowerInvariant();
        if (!HubChecksum.IsOne(etag))
            throw new HubException($"{options.Endpoint} gives {file} the ETag \"{HubModelId.Shown(etag)}\"; " +
                "the hub's are checksums of 40 or 64 hexadecimal digits, without which a download cannot be checked. Is HF_ENDPOINT a hub?");
        if (HubErrors.Header(response, "X-Repo-Commit") is string other && other != commit)
            throw new HubException($"{options.Endpoint} answers with commit {HubModelId.Shown(other)} of {model.Name} where {commit} was asked for. " +
                "Try again.");
        // A redirect's own length is not the file's.
        long? size = long.TryParse(HubErrors.Header(response, "X-Linked-Size"), out long linked) ? linked
            : response.IsSuccessStatusCode ? response.Content.Headers.ContentLength : null;
        return size is null or >= 0
            ? new HubRemoteFile(file, etag, size)
            : throw new HubException($"{options.Endpoint} says that {file} has {size} bytes. Is HF_ENDPOINT a hub?");
    }

    /// <summary>Brings a file to the snapshot, or finds it there.</summary>
    /// <exception cref="HubException">It cannot be had.</exception>
    public async Task<HubFile> FetchAsync(HubRemoteFile file, HubTally tally, CancellationToken cancellationToken)
    {
        string entry = Path.Combine(Folder, Path.Combine(file.Name.Split('/')));
        string blob = options.Cache.BlobOf(model, file.Etag);
        bool downloaded = false;
        if (!IsWhole(entry, file))
        {
            using FileStream held = await HubLock.TakeAsync(options.Cache.LockOf(model, file.Etag), cancellationToken).ConfigureAwait(false);
            downloaded = !IsWhole(blob, file) && !IsWhole(entry, file);        // another process may have brought it meanwhile
            if (downloaded)
                await new HubBlob(requests, _errors, options, AddressOf(file.Name), file, blob)
                    .DownloadAsync(bytes => tally.Report(file, bytes), cancellationToken).ConfigureAwait(false);
            if (!IsWhole(entry, file))
            {
                Enter(entry, blob, ownBlob: downloaded);
                SystemCalls.FlushDirectory(Path.GetDirectoryName(entry)!);
            }
        }
        long length = LengthOf(entry);
        tally.Finish(file, length);
        return new HubFile(file.Name, length, downloaded);
    }

    /// <summary>Says which commit the revision stands for; the last step, so that nobody finds half a snapshot.</summary>
    public void WriteRef()
    {
        if (HubNames.IsCommit(model.Revision)) return;
        string path = options.Cache.RefOf(model);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        PendingFile.Write(path, Encoding.UTF8.GetBytes(commit));
    }

    private Uri AddressOf(string file) =>
        requests.AddressOf($"{model.Name}/resolve/{commit}/{string.Join('/', file.Split('/').Select(Uri.EscapeDataString))}");

    /// <summary>A relative link to the blob; where there can be none, the blob itself, or a copy of one that other snapshots may link to.</summary>
    private void Enter(string entry, string blob, bool ownBlob)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(entry)!);
        File.Delete(entry);                                // a link that leads nowhere, or a damaged file
        if (options.UseSymlinks)
        {
            try
            {
                File.CreateSymbolicLink(entry, Path.GetRelativePath(Path.GetDirectoryName(entry)!, blob));
                return;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or PlatformNotSupportedException)
            {
                // Windows without the right to make links, or a file system without any.
            }
        }
        if (ownBlob)
        {
            File.Move(blob, entry, overwrite: true);
            return;
        }
        using var copy = new PendingFile(entry);
        using (FileStream content = File.OpenRead(blob))
            content.CopyTo(copy.Stream);
        copy.Complete();
        copy.Publish();
    }

    /// <summary>Whether a file (links followed) is there and as long as it must be. Its checksum was right when it got its name.</summary>
    private static bool IsWhole(string path, HubRemoteFile file) =>
        new FileInfo(RealPath.Of(path)) is { Exists: true } real && (file.Size is null || real.Length == file.Size);

    private static long LengthOf(string path) => new FileInfo(RealPath.Of(path)).Length;
}
