namespace ManagedTransformers.Hub;

/// <summary>A model that was downloaded.</summary>
/// <param name="Model">Its name and revision.</param>
/// <param name="Commit">The commit that the revision stands for.</param>
/// <param name="Directory">The snapshot: a checkpoint directory.</param>
/// <param name="Files">Its files, in the order in which they were asked for.</param>
public sealed record HubDownload(HubModelId Model, string Commit, string Directory, IReadOnlyList<HubFile> Files);

/// <summary>A file of a downloaded model.</summary>
/// <param name="Name">Its path in the repository, with slashes.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="Downloaded">Whether it came now; false: it was in the cache.</param>
public sealed record HubFile(string Name, long Bytes, bool Downloaded);

/// <summary>How far a download is.</summary>
/// <param name="File">The file that is being read.</param>
/// <param name="FileBytes">Bytes of it that are there.</param>
/// <param name="FileSize">Its size; null where the server does not say it.</param>
/// <param name="Bytes">Bytes of all files that are there.</param>
/// <param name="TotalSize">The size of all files; null where a server does not say one.</param>
public sealed record HubProgress(string File, long FileBytes, long? FileSize, long Bytes, long? TotalSize);

/// <summary>Adds up what is there and tells it.</summary>
internal sealed class HubTally(IProgress<HubProgress>? progress, long? total)
{
    private long _done;

    /// <summary>Some of a file is there; less than before where it had to be begun again.</summary>
    public void Report(HubRemoteFile file, long bytes) => progress?.Report(new HubProgress(file.Name, bytes, file.Size, _done + bytes, total));

    /// <summary>All of a file is there.</summary>
    public void Finish(HubRemoteFile file, long bytes)
    {
        Report(file, bytes);
        _done += bytes;
    }
}
