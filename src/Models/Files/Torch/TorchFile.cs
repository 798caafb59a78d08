namespace ManagedTransformers.Models;


/// <summary>
/// One PyTorch checkpoint (<c>pytorch_model.bin</c>, <c>.pt</c>), mapped from disk or held in memory: a state dict as torch.save writes it, in the
/// zip form (PyTorch 1.6 and later) or the one before. Tensors are views of the file; only those that are stored out of order are copied, when they
/// are read. Immutable and thread-safe.
/// </summary>
/// <remarks>
/// A checkpoint of PyTorch is a pickle, which in Python may run any code. Here it is read as data: tensors, storages, containers and numbers are
/// known, anything else is refused by name, and nothing is executed.
/// </remarks>
internal sealed class TorchFile : IWeightFile
{
    public const string DefaultName = "pytorch_model.bin";

    private readonly FileContent _content;
    private readonly OrderedDictionary<string, Weight> _weights;

    private TorchFile(FileContent content)
    {
        _content = content;
        List<Weight> weights = Read(content);
        _weights = new OrderedDictionary<string, Weight>(weights.Count, StringComparer.Ordinal);
        foreach (Weight weight in weights) _weights.Add(weight.Name, weight);
    }

    public string Name => _content.Name;

    /// <summary>The tensors by name (case-sensitive), in the order of the state dict.</summary>
    public IReadOnlyDictionary<string, Weight> Weights => _weights;

    void IWeightFile.RequireUnchanged() => _content.RequireUnchanged();

    IReadOnlyDictionary<string, string> IWeightFile.Metadata => System.Collections.ObjectModel.ReadOnlyDictionary<string, string>.Empty;

    /// <summary>Maps a file. Takes the time to read its pickle, whatever the size of its data.</summary>
    /// <exception cref="CheckpointException">The file cannot be read, is damaged, or holds something else than a state dict.</exception>
    public static TorchFile Open(string path) => OpenFile(path, map: true);

    /// <summary>Maps a file, or reads it whole into memory (<see cref="LoadOptions.MapWeights"/>).</summary>
    internal static TorchFile OpenFile(string path, bool map)
    {
        MappedFile mapped = MappedFile.Open(path, map);
        try
        {
            return new TorchFile(new FileContent(mapped));
        }
        catch
        {
            mapped.Dispose();
            throw;
        }
    }

    /// <summary>Reads a file that is in memory. The bytes are not copied and must not change.</summary>
    /// <exception cref="CheckpointException">The file is damaged, or holds something else than a state dict.</exception>
    public static TorchFile FromBytes(ReadOnlyMemory<byte> bytes, string name = DefaultName)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return new TorchFile(new FileContent(bytes, name));
    }

    /// <summary>Reads a stream, at most 2 GiB, to its end into memory: the directory of a zip archive stands at its end. The stream is not disposed.</summary>
    /// <exception cref="CheckpointException">The file is too long, damaged, or holds something else than a state dict.</exception>
    /// <exception cref="IOException">The stream itself failed.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static TorchFile FromStream(Stream stream, string name = DefaultName, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentException.ThrowIfNullOrEmpty(name);
        byte[] bytes = new StreamContent(stream, name, cancellationToken).Read(Array.MaxLength);
        if (bytes.Length == Array.MaxLength && stream.ReadByte() >= 0)
            throw new CheckpointException(
                $"{name} is longer than {Array.MaxLength} bytes, the most that a PyTorch file that comes from a stream may have. " +
                    "Save it to disk and open it there, or convert it to safetensors (mtx convert).")
            {
                FileName = name,
            };
        return FromBytes(bytes, name);
    }

    public FileLease Acquire() => _content.Acquire();
    public void Dispose() => _content.Dispose();

    private static List<Weight> Read(FileContent content)
    {
        ReadOnlySpan<byte> start = content.Slice(0, (int)Math.Min(content.Length, 64));
        if (TorchArchive.IsArchive(start)) return TorchArchive.Read(content);
        if (LegacyTorchFile.IsPickle(start)) return LegacyTorchFile.Read(content);
        if (GitLfsPointer.Problem(content.Name, start) is string pointer)
            throw new CheckpointException(pointer) { FileName = content.Name };
        throw TorchErrors.Damaged(content.Name, start.IsEmpty
            ? "The file is empty."
            : $"The file begins with {Convert.ToHexString(start[..Math.Min(4, start.Length)])}; " +
                "a PyTorch checkpoint begins with 504B0304 (a zip archive) or 80 (a pickle).");
    }
}

/// <summary>What the pickle of a checkpoint must be: a dict of names and tensors.</summary>
internal static class StateDict
{
    /// <summary>Its tensors, in its order, each known to lie in its storage.</summary>
    /// <exception cref="CheckpointException">It is something else, or holds something else; lists all of that at once.</exception>
    public static IReadOnlyList<(string Name, TorchTensor Tensor)> Read(object? content, string file)
    {
        if (content is not PickleDict dict)
            throw TorchErrors.Refused(file, $"It holds {PickleValues.Describe(content)}; needed is a state dict, names and tensors.");
        var tensors = new List<(string, TorchTensor)>(dict.Items.Count);
        var names = new HashSet<string>(dict.Items.Count, StringComparer.Ordinal);
        var problems = new List<string>();
        foreach ((object? key, object? value) in dict.Items)
        {
            if (key is not string name || name.Length == 0) problems.Add($"A key is {PickleValues.Describe(key)}.");
            else if (!names.Add(name)) problems.Add($"{SafetensorsHeader.Shown(name)} is there twice.");
            else if (value is TorchTensor tensor) tensors.Add((name, tensor.Checked(name, file)));
            else problems.Add($"{SafetensorsHeader.Shown(name)} is {PickleValues.Describe(value)}.");
        }
        if (problems.Count == 0) return tensors;
        throw new CheckpointException($"{file} is not a state dict, which holds tensors only. {Advice(dict)}", problems) { FileName = file };
    }

    private static string Advice(PickleDict dict)
    {
        foreach ((object? key, object? value) in dict.Items)
            if (key is string name && value is PickleDict inner && inner.Items.Any(item => item.Value is TorchTensor))
                return $"It looks like a training checkpoint with the weights under \"{SafetensorsHeader.Shown(name)}\". In Python: " +
                    $"torch.save(torch.load(FILE)[\"{SafetensorsHeader.Shown(name)}\"], \"pytorch_model.bin\").";
        return "In Python, save the tensors alone: torch.save({k: v for k, v in torch.load(FILE).items() if torch.is_tensor(v)}, \"pytorch_model.bin\").";
    }
}

/// <summary>What is said of PyTorch files that cannot be used.</summary>
internal static class TorchErrors
{
    /// <summary>What to do about a file that is not what PyTorch wrote.</summary>
    public const string Advice = "The file is damaged, incomplete or not a PyTorch checkpoint: download or export it again.";

    /// <summary>What to do about a file that holds more than data.</summary>
    public const string RefusedAdvice =
        "Only state dicts are read, and nothing in the file was executed. If you trust the file, open it in Python and save the weights alone: " +
            "torch.save(model.state_dict(), \"pytorch_model.bin\").";

    /// <summary>The file breaks a rule of its format.</summary>
    public static CheckpointException Damaged(string file, string what, Exception? cause = null) => new($"{file}: {what} {Advice}", cause) { FileName = file };

    /// <summary>The file may be whole, but asks for what a state dict does not need.</summary>
    public static CheckpointException Refused(string file, string what) => new($"{file}: {what} {RefusedAdvice}") { FileName = file };

    /// <summary>A tensor does not fit its storage.</summary>
    public static CheckpointException BadTensor(string file, string tensor, string what) =>
        new($"{SafetensorsHeader.Shown(tensor)} in {file}: {what} {Advice}") { FileName = file, TensorName = tensor };
}
