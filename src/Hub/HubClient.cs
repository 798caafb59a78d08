namespace ManagedTransformers.Hub;

/// <summary>Downloads models from the Hugging Face hub into its cache, where every Hugging Face tool finds them. Nothing else in this library uses the network.
/// Thread-safe; processes that download the same model wait for each other.</summary>
/// <remarks>huggingface_hub's snapshot_download. Downloads go on where they were broken off, are checked by the hub's checksums, and a revision is found in the
/// cache only when all of its files are there.</remarks>
public sealed class HubClient : IDisposable
{
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
        JsonPart list = JsonPart.Parse(
            $"{_options.Endpoint}'s list of {model}'s files", json, (message, inner) => new HubException($"{message} Is HF_ENDPOINT a hub?", inner));
        string commit = list.Get("sha").String();
        if (!HubNames.IsCommit(commit))
            throw new HubException($"{_options.Endpoint} gives {model} the commit \"{HubModelId.Shown(commit)}\"; 40 hexadecimal digits are needed. " +
                "Is HF_ENDPOINT a hub?");
        return (commit, [.. list.Get("siblings").Items().Select(sibling => sibling.Get("rfilename").String()).Distinct(StringComparer.Ordinal)]);
    }

    private async Task<byte[]> ReadListAsync(HubModelId model, Uri address, CancellationToken cancellationToken)
    {
        using HttpResponseMessage response = new HubErrors(_options, model).Require(
            await _requests.SendAsync(HttpMethod.Get, address, from: 0, leaveHub: false, cancellationToken).ConfigureAwait(false), "the list of files");
        if (!response.IsSuccessStatusCode)
            throw new HubException($"{_options.Endpoint} redirects to another host where the list of {model}'s files was asked for. Is HF_ENDPOINT a hub?");
        return await _requests.ReceiveAsync(response.Content.ReadAsByteArrayAsync, "Its list did not arrive.", cancellationToken).ConfigureAwait(false);
    }

    private IReadOnlyList<string> Wanted(HubModelId model, IReadOnlyList<string> files, bool all)
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
