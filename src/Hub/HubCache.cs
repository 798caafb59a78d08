using System.ComponentModel;
using System.Globalization;

namespace ManagedTransformers.Hub;

/// <summary>The cache in which Hugging Face's tools keep what they downloaded: <c>models--org--name/</c> with <c>refs/REVISION</c> (a commit),
/// <c>snapshots/COMMIT/</c> (links, or files where links are impossible) and <c>blobs/</c>. Finding reads only; nothing is downloaded.</summary>
/// <remarks>https://huggingface.co/docs/huggingface_hub/guides/manage-cache.</remarks>
[TypeConverter(typeof(HubCacheConverter))]
public sealed class HubCache
{
    private readonly string? _because;

    /// <summary>A cache in a folder of your own.</summary>
    /// <param name="folder">The folder that holds <c>models--org--name</c>; need not exist yet.</param>
    public HubCache(string folder) : this(folder, because: null)
    {
    }

    private HubCache(string folder, string? because)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        (Folder, _because) = (Path.GetFullPath(folder), because);
    }

    /// <summary>The cache that huggingface_hub uses here: HF_HUB_CACHE, else HF_HOME/hub, else XDG_CACHE_HOME/huggingface/hub, else
    /// ~/.cache/huggingface/hub.</summary>
    public static HubCache Default => Of(HubEnvironment.OfProcess);

    /// <summary>The folder that holds <c>models--org--name</c>.</summary>
    public string Folder { get; }

    /// <summary>The snapshot directory of a model that was downloaded, to be loaded as any checkpoint directory.</summary>
    /// <param name="name"><c>org/name</c> or <c>org/name@revision</c>.</param>
    /// <param name="revision">Branch, tag or commit, where the name does not say it; main when null.</param>
    /// <exception cref="FormatException">Name or revision cannot be one of the hub's.</exception>
    /// <exception cref="HubException">It is not in the cache, or its download was not finished.</exception>
    public string Find(string name, string? revision = null)
    {
        HubModelId model = HubModelId.Parse(name, revision);
        string repository = RepositoryOf(model);
        if (!Directory.Exists(repository))
            throw new HubException($"{model} is not in the hub's cache: there is no {repository}{Because}. {Advice(model)}");
        string commit = CommitOf(model);
        string snapshot = SnapshotOf(model, commit);
        if (!Directory.Exists(snapshot))
            throw new HubException($"{model} is commit {commit}, but there is no {snapshot}: its download was not begun, or the snapshot was removed. " +
                $"{Advice(model)}");
        RequireBlobs(model, snapshot);
        RequireFinished(model, snapshot);
        return snapshot;
    }

    internal static HubCache Of(HubEnvironment environment)
    {
        (string folder, string? because) = environment.Cache;
        return new HubCache(folder, because);
    }

    internal string SnapshotOf(HubModelId model, string commit) => Path.Combine(RepositoryOf(model), "snapshots", commit);

    internal string BlobOf(HubModelId model, string etag) => Path.Combine(RepositoryOf(model), "blobs", etag);

    internal string RefOf(HubModelId model) => Path.Combine(RepositoryOf(model), "refs", Path.Combine(model.Revision.Split('/')));

    internal string LockOf(HubModelId model, string etag) => Path.Combine(Folder, ".locks", FolderOf(model), etag + ".lock");

    private string Because => _because is null ? "" : $" (the folder is {_because}'s)";

    private string RepositoryOf(HubModelId model) => Path.Combine(Folder, FolderOf(model));

    private static string FolderOf(HubModelId model) => "models--" + model.Name.Replace("/", "--", StringComparison.Ordinal);

    private static string Advice(HubModelId model) => $"\"mtx pull {model}\" (HubClient.DownloadAsync) downloads it.";

    /// <summary>The commit that a branch or tag stands for; nothing else can be in a ref, so that none leads out of snapshots/.</summary>
    private string CommitOf(HubModelId model)
    {
        if (HubNames.IsCommit(model.Revision)) return model.Revision;
        string file = RefOf(model);
        if (!File.Exists(file))
        {
            string begun = Incomplete(model) is FileInfo part ? $" A download was begun ({part.Name}, {part.Length} bytes)." : "";
            string refs = Path.Combine(RepositoryOf(model), "refs");
            IEnumerable<string> names = Directory.Exists(refs) ? Directory.EnumerateFiles(refs).Select(path => Path.GetFileName(path)) : [];
            string known = string.Join(", ", names.Order(StringComparer.Ordinal));
            throw new HubException($"{model.Name} is in the hub's cache, but not its revision {model.Revision}: there is no {file}" +
                $"{(known.Length == 0 ? "" : $" (there are {HubModelId.Shown(known)})")}.{begun} {Advice(model)}");
        }
        var buffer = new byte[128];
        using FileStream stream = File.OpenRead(file);
        string commit = System.Text.Encoding.ASCII.GetString(buffer.AsSpan(0, stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false))).Trim();
        return HubNames.IsCommit(commit)
            ? commit
            : throw new HubException($"{file} holds \"{HubModelId.Shown(commit)}\"; a commit hash of 40 hexadecimal digits is needed. Remove the file. " +
                $"{Advice(model)}");
    }

    /// <summary>Links that lead nowhere: tools remove blobs, and copies of a cache lose them. (File.Exists alone says yes to such a link.)</summary>
    private void RequireBlobs(HubModelId model, string snapshot)
    {
        var entries = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.None, MaxRecursionDepth = 1 };
        foreach (string path in Directory.EnumerateFiles(snapshot, "*", entries).Order(StringComparer.Ordinal))
        {
            string file = Path.GetRelativePath(snapshot, path).Replace(Path.DirectorySeparatorChar, '/');
            if (new FileInfo(path).LinkTarget is not string target || !HubFileSelection.IsRead(file) || File.Exists(RealPath.Of(path))) continue;
            string part = File.Exists(BlobOf(model, Path.GetFileName(target)) + HubBlob.IncompleteSuffix) ? " Its download was not finished." : "";
            throw new HubException($"{file} in {snapshot} is a link to {HubModelId.Shown(target)}, which is not there.{part} {Advice(model)}");
        }
    }

    /// <summary>Where something is half downloaded and weights are missing, that says why. (Half a file of another revision is no harm.)</summary>
    private void RequireFinished(HubModelId model, string snapshot)
    {
        if (Incomplete(model) is not FileInfo part) return;
        string[] files = [.. Directory.EnumerateFiles(snapshot).Select(path => Path.GetFileName(path))];
        if (!Array.Exists(files, HubFileSelection.IsWeights))
            throw Unfinished("no weights are in it");
        if (HubFileSelection.IndexOf(files) is not string index) return;
        if (ShardsOf(Path.Combine(snapshot, index)).FirstOrDefault(shard => !files.Contains(shard)) is string missing)
            throw Unfinished($"{HubModelId.Shown(missing)} is not in it");

        HubException Unfinished(string what) =>
            new($"The download of {model} to {snapshot} was not finished: {what}, and {part.FullName} has {part.Length} bytes of a file. " +
                $"\"mtx pull {model}\" goes on with it.");
    }

    /// <summary>The shards that an index of weights names.</summary>
    private static IEnumerable<string> ShardsOf(string index)
    {
        JsonPart json = JsonPart.Parse(index, File.ReadAllBytes(index), (message, inner) => new HubException(message, inner));
        return json.Get("weight_map").Entries().Select(tensor => tensor.Value.String());
    }

    private FileInfo? Incomplete(HubModelId model)
    {
        var blobs = new DirectoryInfo(Path.Combine(RepositoryOf(model), "blobs"));
        return blobs.Exists ? blobs.EnumerateFiles("*" + HubBlob.IncompleteSuffix).OrderByDescending(file => file.Length).FirstOrDefault() : null;
    }
}

/// <summary>A cache from its folder, for options that are bound from configuration.</summary>
internal sealed class HubCacheConverter : TypeConverter
{
    public override bool CanConvertFrom(ITypeDescriptorContext? context, Type sourceType) => sourceType == typeof(string);

    public override object ConvertFrom(ITypeDescriptorContext? context, CultureInfo? culture, object value) => new HubCache((string)value);
}
