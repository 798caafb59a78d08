using System.Net;

namespace ManagedTransformers.Hub;


/// <summary>Downloads models from the Hugging Face hub into its cache, where every Hugging Face tool finds them. Nothing else in this library uses the network.
/// Thread-safe; processes that download the same model wait for each other.</summary>
/// <remarks>huggingface_hub's snapshot_download. Downloads go on where they were broken off, are checked by the hub's checksums, and a revision is found in the
/// cache only when all of its files are there.</remarks>
public sealed class HubClient : IDisposable
{
    // A hundred bytes for each of a hundred thousand files.
    private const int MostBytesOfList = 16 << 20;

    private readonly HubOptions _options;
    private readonly HubRequests _requests;

    /// <summary>A client.</summary>
    /// <param name="options">Endpoint, token, cache, retries; what the environment says when null.</param>
    /// <exception cref="HubException">The endpoint is no https address (or http one of this machine), or the token has characters that no token
    /// has.</exception>
    public HubClient(HubOptions? options = null)
    {
        _options = options ?? new HubOptions();
        _requests = new HubRequests(_options);
    }

    /// <summary>Downloads the files of a model that this runtime reads, as far as they are not in the cache.</summary>
    /// <param name="name"><c>org/name</c> or <c>org/name@revision</c>.</param>
    /// <param name="revision">Branch, tag or commit, where the name does not say it; main when null.</param>
    /// <param name="allFiles">Every file of the repository, not only those that this runtime reads.</param>
    /// <param name="progress">Told as bytes arrive, on the thread that reads them.</param>
    /// <param name="cancellationToken">Ends the download; what has arrived is gone on with the next time.</param>
    /// <returns>The snapshot's directory, which loads as any checkpoint directory.</returns>
    /// <exception cref="FormatException">Name or revision cannot be one of the hub's.</exception>
    /// <exception cref="HubException">The model does not exist, is refused, cannot be reached, or what arrives is not what was announced.</exception>
    /// <exception cref="IOException">The cache cannot be written.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public async Task<HubDownload> DownloadAsync(
        string name, string? revision = null, bool allFiles = false, IProgress<HubProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        HubModelId model = HubModelId.Parse(name, revision);
        if (_options.Offline)
            throw new HubException($"{model} is not downloaded: HF_HUB_OFFLINE forbids it. Unset it, or copy the model to {_options.Cache.Folder}.");
        (string commit, IReadOnlyList<string> files) = await ListAsync(model, cancellationToken).ConfigureAwait(false);
        var snapshot = new HubSnapshot(_requests, _options, model, commit);
        var remote = new List<HubRemoteFile>();
        foreach (string file in Wanted(model, files, allFiles))
            remote.Add(await snapshot.DescribeAsync(file, cancellationToken).ConfigureAwait(false));
        var tally = new HubTally(progress, remote.Aggregate((long?)0, (sum, file) => sum + file.Size));
        var fetched = new List<HubFile>();
        foreach (HubRemoteFile file in remote)
            fetched.Add(await snapshot.FetchAsync(file, tally, cancellationToken).ConfigureAwait(false));
        snapshot.WriteRef();
        return new HubDownload(model, commit, snapshot.Folder, fetched);
    }

    /// <summary>Closes the connections.</summary>
    public void Dispose() => _requests.Dispose();

    /// <summary>The commit of a revision and the names of its files.</summary>
    private async Task<(string Commit, IReadOnlyList<string> Files)> ListAsync(HubModelId model, CancellationToken cancellationToken)
    {
        Uri address = _requests.AddressOf($"api/models/{model.Name}/revision/{Uri.EscapeDataString(model.Revision)}");
        byte[] json = await new HubRetry(_options)
            .RunAsync($"The list of {model}'s files", () => ReadListAsync(model, address, cancellationToken), gained: () => 0, cancellationToken)
            .ConfigureAwait(false);
        return ParseList($"{_options.Endpoint}'s list of {model}'s files", model, json);
    }

    /// <summary>Reads the hub's answer to a revision: the commit, and the names of the files.</summary>
    /// <exception cref="HubException">It is no such answer.</exception>
    internal static (string Commit, IReadOnlyList<string> Files) ParseList(string source, HubModelId model, ReadOnlyMemory<byte> json)
    {
        JsonPart list = JsonPart.Parse(source, json, (message, inner) => new HubException($"{message} Is HF_ENDPOINT a hub?", inner));
        string commit = list.Get("sha").String();
        if (!HubNames.IsCommit(commit))
            throw new HubException($"{source} gives {model} the commit \"{HubModelId.Shown(commit)}\"; 40 hexadecimal digits are needed. " +
                "Is HF_ENDPOINT a hub?");
        return (commit, [.. list.Get("siblings").Items().Select(sibling => sibling.Get("rfilename").String()).Distinct(StringComparer.Ordinal)]);
    }

    private async Task<byte[]> ReadListAsync(HubModelId model, Uri address, CancellationToken cancellationToken)
    {
        using HttpResponseMessage response = new HubErrors(_options, model).Require(
            await _requests.SendAsync(HttpMethod.Get, address, from: 0, leaveHub: false, cancellationToken).ConfigureAwait(false), "the list of files");
        if (!response.IsSuccessStatusCode)
            throw new HubException($"{_options.Endpoint} redirects to another host where the list of {model}'s files was asked for. Is HF_ENDPOINT a hub?");
        try
        {
            return await _requests.ReceiveAsync(token => ReadAsync(response.Content, token), "Its list did not arrive.", cancellationToken)
                .ConfigureAwait(false);
        }
        catch (HubTransientException e) when (e.InnerException is HttpRequestException { HttpRequestError: HttpRequestError.ConfigurationLimitExceeded })
        {
            throw new HubException($"{_options.Endpoint}'s list of {model}'s files is longer than {MostBytesOfList >> 20} MiB. Is HF_ENDPOINT a hub?", e);
        }
    }

    private static async Task<byte[]> ReadAsync(HttpContent list, CancellationToken cancellationToken)
    {
        await list.LoadIntoBufferAsync(MostBytesOfList, cancellationToken).ConfigureAwait(false);
        return await list.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The files to download.</summary>
    /// <exception cref="HubException">A name leads out of the folder, or there are no weights.</exception>
    internal static IReadOnlyList<string> Wanted(HubModelId model, IReadOnlyList<string> files, bool all)
    {
        foreach (string file in files)
        {
            if (HubNames.ProblemOfFile(file) is string problem)
                throw new HubException($"{model} has a file named \"{HubModelId.Shown(file)}\": {problem}. Nothing was downloaded.");
        }
        IReadOnlyList<string> wanted = all ? files : HubFileSelection.ReadHere(files);
        if (all ? wanted.Count > 0 : wanted.Any(HubFileSelection.IsWeights)) return wanted;
        string found = files.Count == 0 ? "nothing" : HubModelId.Shown(string.Join(", ", files));
        throw new HubException($"{model} has no weights that this runtime reads: model.safetensors or pytorch_model.bin, whole or in shards, is needed; " +
            $"found is {found}. --all (allFiles) downloads everything all the same.");
    }
}

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

/// <summary>How a <see cref="HubClient"/> downloads. The defaults are what the environment says, as huggingface_hub reads it.</summary>
public sealed record HubOptions
{
    /// <summary>The hub's address; HF_ENDPOINT, else https://huggingface.co. http is taken for an address of this machine only.</summary>
    public string Endpoint { get; init; } = HubEnvironment.OfProcess.Endpoint;

    /// <summary>The access token, for private and gated models; null for none. HF_TOKEN, else what <c>hf auth login</c> stored. It is sent to
    /// <see cref="Endpoint"/> only, never to where a redirect leads.</summary>
    public string? Token { get; init; } = HubEnvironment.OfProcess.ReadToken();

    /// <summary>Where downloads go.</summary>
    public HubCache Cache { get; init; } = HubCache.Default;

    /// <summary>Whether nothing may be downloaded (HF_HUB_OFFLINE).</summary>
    public bool Offline { get; init; } = HubEnvironment.OfProcess.Offline;

    /// <summary>Whether snapshots link to blobs. Where links are impossible, files take their place by themselves.</summary>
    public bool UseSymlinks { get; init; } = !HubEnvironment.OfProcess.DisableSymlinks;

    /// <summary>How often a request is tried again after a cut connection or an error of the server, with nothing gained in between.</summary>
    public int MaxRetries { get; init; } = 5;

    /// <summary>The wait before the first retry; each further one is twice as long, up to half a minute, or as long as the server asks.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a server may say nothing before the connection counts as cut.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The most bytes of a file whose size no server says: else a body without end would fill the disk.</summary>
    internal long MostUnannounced { get; init; } = 1 << 30;
}

/// <summary>A model of the hub that cannot be had: it is not in the cache, its download was broken off, the hub refuses it, or what arrived is not what was
/// asked for. The message says where, what was found, what was needed and what to do; it never holds a token or a signed address.</summary>
public sealed class HubException : ManagedTransformersException
{
    /// <summary>Creates the exception from its whole message.</summary>
    public HubException(string message) : base(message)
    {
    }

    /// <summary>Creates the exception from its whole message and its cause.</summary>
    public HubException(string message, Exception? inner) : base(message, inner)
    {
    }

    /// <summary>What the server answered, where it was an answer that is wrong.</summary>
    public HttpStatusCode? StatusCode { get; init; }
}
