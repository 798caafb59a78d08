namespace ManagedTransformers.Models;

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
