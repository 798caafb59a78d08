namespace ManagedTransformers.Orleans.Tests;

/// <summary>Files of a model that are replaced while its silo runs are another version, and never run under the fingerprint of the first.</summary>
public sealed class ReplacedFilesTests
{
    private const string Name = "replaced";

    private string _folder = null!, _model = null!;

    [SetUp]
    public void Copy()
    {
        _folder = Directory.CreateTempSubdirectory("replaced-").FullName;
        _model = Path.Combine(_folder, Name);
        Put(1);
    }

    [TearDown]
    public void Remove() => Directory.Delete(_folder, recursive: true);

    [Test]
    public async Task Before_the_model_is_loaded_they_have_another_fingerprint()
    {
        await using var models = new SiloModels(Options);
        string first = await models.FingerprintOf(Name);
        Assert.That(await models.FingerprintOf(Name), Is.EqualTo(first));
        Put(2);
        string second = await models.FingerprintOf(Name);
        Assert.That(second, Is.Not.EqualTo(first));
        ModelLease lease = await models.AcquireAsync(Name, CancellationToken.None);
        Assert.That((await models.IsOfAsync(lease, first), await models.IsOfAsync(lease, second)), Is.EqualTo((false, true)));
        Assert.That(await models.DirectoryOfAsync(Name, second), Is.EqualTo(_model));
        models.Release(lease);
    }

    [Test]
    public async Task While_it_is_in_memory_it_stays_what_it_was_loaded_from()
    {
        await using var models = new SiloModels(Options);
        string first = await models.FingerprintOf(Name);
        ModelLease lease = await models.AcquireAsync(Name, CancellationToken.None);
        Put(2);
        Assert.That((await models.FingerprintOf(Name), await models.IsOfAsync(lease, first)), Is.EqualTo((first, true)));
        Assert.That(await models.DirectoryOfAsync(Name, first), Is.Null, "a tokenizer from there would be another one's");
        models.Release(lease);
    }

    [Test]
    public async Task Loaded_before_its_fingerprint_was_read_and_replaced_then_it_is_unloaded()
    {
        await using var models = new SiloModels(Options);
        ModelLease lease = await models.AcquireAsync(Name, CancellationToken.None);
        Put(2);
        string second = await models.FingerprintOf(Name);
        Assert.That(await models.IsOfAsync(lease, second), Is.False);
        models.Release(lease);
        lease = await models.AcquireAsync(Name, CancellationToken.None);
        Assert.That(await models.IsOfAsync(lease, second), Is.True);
        models.Release(lease);
    }

    private ModelSiloOptions Options => new() { Host = new ModelHostOptions { Models = [_model] } };

    // As a deployment does it: by one rename.
    private void Put(int version)
    {
        string next = Path.Combine(_folder, $"version-{version}");
        Directory.CreateDirectory(next);
        foreach (string file in Directory.GetFiles(Path.Combine(RepositoryRoot.Path, "models", "demo-language-id")))
            File.Copy(file, Path.Combine(next, Path.GetFileName(file)));
        string config = Path.Combine(next, "config.json");
        File.WriteAllText(config, File.ReadAllText(config) + new string('\n', version));
        if (Directory.Exists(_model))
            Directory.Move(_model, Path.Combine(_folder, $"before-{version}"));
        Directory.Move(next, _model);
    }
}
